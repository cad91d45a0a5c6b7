package importer

import (
	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/jsontext"
	"github.com/estela-dev/estela/services/internal/result"
)

// nested returns the writer of a list, array, map, struct or union.
func (b writerBuilder) nested(t *result.Type, shape contract.Shape, where string) (writer, error) {
	inner := make([]writer, len(t.Fields))
	for i, f := range t.Fields {
		at, place := shape, where
		switch t.Kind {
		case column.Struct:
			at, _ = shape.Member(f.Name)
			place += "." + f.Name
		case column.List, column.Array:
			at = shape.Items()
			place += "[]"
		case column.Map:
			at = contract.Shape{}
		default:
		}
		var err error
		if inner[i], err = b.of(&t.Fields[i].Type, at, place); err != nil {
			return nil, err
		}
	}
	switch t.Kind {
	case column.Struct:
		return structWriter(t, shape, inner), nil
	case column.Map:
		return mapWriter(inner[0], inner[1]), nil
	case column.Union:
		return unionWriter(inner), nil
	case column.Array:
		size := t.Size
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			return appendItems(buf, v.Children[0], i*size, size, inner[0])
		}, nil
	default:
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			at := result.At[result.ListEntry](v, i)
			return appendItems(buf, v.Children[0], int(at.Offset), int(at.Length), inner[0])
		}, nil
	}
}

func structWriter(t *result.Type, shape contract.Shape, inner []writer) writer {
	labels, nulls := make([][]byte, len(inner)), make([]bool, len(inner))
	for m, f := range t.Fields {
		labels[m] = append(jsontext.AppendString(nil, []byte(f.Name)), ':')
		nulls[m] = shape.NeedsNull(f.Name)
	}
	return func(buf []byte, v result.Vector, i int) (_ []byte, err error) {
		buf = append(buf, '{')
		first := true
		for m, write := range inner {
			member := v.Children[m]
			null := member.Null(i)
			if null && !nulls[m] {
				continue
			}
			if !first {
				buf = append(buf, ',')
			}
			first = false
			buf = append(buf, labels[m]...)
			if null {
				buf = append(buf, "null"...)
			} else if buf, err = write(buf, member, i); err != nil {
				return buf, err
			}
		}
		return append(buf, '}'), nil
	}
}

func appendItems(buf []byte, v result.Vector, from, n int, write writer) (_ []byte, err error) {
	buf = append(buf, '[')
	for i := from; i < from+n; i++ {
		if i > from {
			buf = append(buf, ',')
		}
		if v.Null(i) {
			buf = append(buf, "null"...)
		} else if buf, err = write(buf, v, i); err != nil {
			return buf, err
		}
	}
	return append(buf, ']'), nil
}

// mapWriter writes a map as an object.
func mapWriter(key, value writer) writer {
	return func(buf []byte, v result.Vector, i int) (_ []byte, err error) {
		at := result.At[result.ListEntry](v, i)
		buf = append(buf, '{')
		for j := int(at.Offset); j < int(at.Offset+at.Length); j++ {
			if j > int(at.Offset) {
				buf = append(buf, ',')
			}
			from := len(buf)
			if buf, err = key(buf, v.Children[0], j); err != nil {
				return buf, err
			}
			if buf[from] != '"' {
				name := string(buf[from:])
				buf = jsontext.AppendString(buf[:from], []byte(name))
			}
			buf = append(buf, ':')
			if v.Children[1].Null(j) {
				buf = append(buf, "null"...)
			} else if buf, err = value(buf, v.Children[1], j); err != nil {
				return buf, err
			}
		}
		return append(buf, '}'), nil
	}
}

// unionWriter writes the active member.
func unionWriter(inner []writer) writer {
	return func(buf []byte, v result.Vector, i int) ([]byte, error) {
		tag := result.At[uint8](v.Children[0], i)
		if v.Children[1+tag].Null(i) {
			return append(buf, "null"...), nil
		}
		return inner[tag](buf, v.Children[1+tag], i)
	}
}
