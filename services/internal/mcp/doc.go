// Package mcp offers the endpoints of an API to agents, as tools of the Model Context Protocol.
//
// It knows nothing of data: its tools are made from the API's own OpenAPI document for the caller,
// and a call of one is a GET to the API. So what a key may read, its limits, the cache and the
// accounting are the API's; nothing here could get around them.
//
//	document   GET /openapi.json, read
//	tool       one GET operation: its schemas, and a call
//	server     the tools as a server of the SDK, over HTTP (NewHandler) or in and out (Serve)
//	remote     GETs to an API in another process
//
// # Tools
//
// A tool is named as its operationId, DATASET_ENDPOINT. Its arguments are the endpoint's
// parameters; the result is the answer in JSON, {data, meta}, as structured content and, for older
// clients, as text. An answer goes on byte by byte, so that numbers keep their digits.
//
// A page has 20 rows without limit, less than the API's own default, because what a model
// reads is scarce. A result has at most 128 KiB. A larger answer is an error that says how to ask
// for less; it is never cut. Each refusal of the API is such an error, with the problem's title and
// detail, for the model to act on.
//
// # HTTP
//
// A POST has one message and its answer has one, in JSON: there are no sessions, streams or
// batches, so that any replica can answer. The list of tools is that of the moment.
package mcp
