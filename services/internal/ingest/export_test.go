package ingest

import (
	"bytes"
	"errors"
	"io"

	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// Forms is how many forms Packed reads.
const Forms = 5

var forms = [Forms]options{
	{layout: document}, {layout: lines}, {layout: one, events: structured}, {layout: array, events: structured}, {layout: one, events: binary},
}

// Packed reads a body, keeps invalid events, and returns the entries.
func Packed(k *contract.Contract, form int, in io.Reader) (valid, invalid int, payloads []event.Payload, err error) {
	p := newParcel(k)
	p.reset(options{keep: true}, nil)
	p.splitter.reset(in, forms[form].layout, 1000)
	var header fasthttp.RequestHeader
	for name, value := range map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "a", "Ce-Source": "s", "Ce-Type": "t", "Ce-Subject": "x"} {
		header.Set(name, value)
	}
	for {
		doc, line, err := p.splitter.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, nil, err
		}
		if err := p.take(&header, doc, line, forms[form].events); err != nil {
			return 0, 0, nil, err
		}
	}
	if err := errors.Join(p.problem(), p.sealAll()); err != nil {
		return 0, 0, nil, err
	}
	data := p.data
	for _, e := range p.entries {
		payloads = append(payloads, event.Payload{Kind: e.kind, Events: int(e.events), Data: data[:int(e.size)]})
		data = data[e.size:]
	}
	return p.taken - p.invalid, p.invalid, payloads, nil
}

// Elements returns the elements of an array.
func Elements(in io.Reader) (all [][]byte, err error) {
	var s splitter
	s.reset(in, array, 1<<20)
	for {
		doc, _, err := s.next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, bytes.Clone(doc))
	}
}

// Composed is the event of a structured CloudEvent; false if it is none.
func Composed(k *contract.Contract, doc []byte) ([]byte, bool) {
	c := cloudEvents{contract: k, names: map[string]bool{}}
	out, wrong := c.structured(doc)
	return out, wrong == nil
}
