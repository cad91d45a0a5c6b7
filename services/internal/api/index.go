package api

import (
	"encoding/json"
	"fmt"

	"github.com/estela-dev/estela/services/internal/endpoint"
)

// The document of GET /v1, in the envelope of every answer.
type (
	indexDocument struct {
		Data []indexDataset `json:"data"`
		Meta indexMeta      `json:"meta"`
	}
	indexMeta struct {
		AsOf *string `json:"as_of"`
		Rows int     `json:"rows"`
		Next *string `json:"next"`
	}
	indexDataset struct {
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		Endpoints   []indexEndpoint `json:"endpoints"`
	}
	indexEndpoint struct {
		Name        string       `json:"name"`
		Path        string       `json:"path"`
		Summary     string       `json:"summary"`
		Description string       `json:"description,omitempty"`
		Params      []indexParam `json:"params"`
	}
	indexParam struct {
		Name        string   `json:"name"`
		Type        string   `json:"type"`
		Required    bool     `json:"required"`
		Default     any      `json:"default,omitempty"`
		Enum        []string `json:"enum,omitempty"`
		Description string   `json:"description,omitempty"`
	}
)

// Index returns the document of GET /v1, a line: every dataset with its endpoints.
func Index(datasets []endpoint.Dataset) ([]byte, error) {
	doc := indexDocument{Data: make([]indexDataset, 0, len(datasets)), Meta: indexMeta{Rows: len(datasets)}}
	for _, d := range datasets {
		entry := indexDataset{Name: d.Name, Description: d.Description, Endpoints: make([]indexEndpoint, 0, len(d.Endpoints))}
		for _, e := range d.Endpoints {
			entry.Endpoints = append(entry.Endpoints, indexEndpoint{e.Name, pathOf(d, e), e.Summary, e.Description, indexParams(e)})
		}
		doc.Data = append(doc.Data, entry)
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write index: %w", err)
	}
	return append(body, '\n'), nil
}

func indexParams(e endpoint.Endpoint) []indexParam {
	params := make([]indexParam, 0, len(e.Params))
	for _, p := range e.Params {
		params = append(params, indexParam{p.Name, p.Type, p.Required, p.JSON(p.Default), p.Enum, p.Description})
	}
	return params
}
