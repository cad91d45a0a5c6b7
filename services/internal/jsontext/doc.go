// Package jsontext is the lexical grammar of JSON (RFC 8259): where a string, a number or
// white space ends, what a string stands for, and how one is written. It builds no values.
package jsontext
