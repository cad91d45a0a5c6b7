package page

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func marked(payload string, violations ...Violation) (all []string, text string) {
	parts, _, _ := markPayload([]byte(payload), violations)
	for _, p := range parts {
		if p.Marked {
			all = append(all, p.Text)
		}
		text += p.Text
	}
	return all, text
}

func TestPayloadIsMarked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ payload, pointer, message, want string }{
		{`{"a": 1, "b": {"c": [10, "é", {"d/~": null}]}}`, "/b/c/1", "", `"é"`},
		{`{"a": 1, "b": {"c": [10, "é", {"d/~": null}]}}`, "/b/c/2/d~1~0", "", `null`},
		{`{"a": 1, "b": {"c": [10, "é", {"d/~": null}]}}`, "/b/c", "", `[10, "é", {"d/~": null}]`},
		{` { "a" :  -1.50e3  }`, "/a", "", `-1.50e3`},
		{`{"a":1,"a":2}`, "/a", "", `2`},
		{`{"a":{"b":1},"a":{"c":2}}`, "/a/b", "", `{`},
		{`{"a":{"b":1},"a":3}`, "/a/b", "", `3`},
		{`{"":{"":"x"}}`, "//", "", `"x"`},
		{`{"a\u0062":true}`, "/ab", "", `true`},
		{`{"a":{"x":1}}`, "/a/lacking", "", `{`}, // the value that lacks it
		{`{"a":1}`, "", "lacks the required property", `{`},
		{`[1,2]`, "/7", "", `[`},
		{`[1,2]`, "/-", "", `[`},
		{"{\"a\": nul}", "", "has no value (byte 6)", "n"},
		{"ab\xff", "", "is no JSON (byte 2)", `\xff`},
		{"short", "", "ends early (byte 99)", ""},
		{"not json", "/a", "", ""},
		{"", "", "is empty", ""},
	} {
		got, text := marked(c.payload, Violation{Pointer: c.pointer, Message: c.message})
		if strings.Join(got, "|") != c.want {
			t.Errorf("%s at %q: marked %q, want %q", c.payload, c.pointer, got, c.want)
		}
		if !strings.Contains(c.payload, "\xff") && text != c.payload {
			t.Errorf("%q is shown as %q", c.payload, text)
		}
	}
	// Several, in the order of the text; one inside of another is part of it.
	got, text := marked(`{"a":[1,2],"b":"x"}`, Violation{Pointer: "/b"}, Violation{Pointer: "/a"}, Violation{Pointer: "/a/1"})
	if strings.Join(got, "|") != `[1,2]|"x"` || text != `{"a":[1,2],"b":"x"}` {
		t.Errorf("%q %q", got, text)
	}
	// A huge one is shown around what is wrong, and says so.
	huge := `{"pad":"` + strings.Repeat("x", 1<<20) + `","n":"bad"}`
	parts, before, after := markPayload([]byte(huge), []Violation{{Pointer: "/n"}})
	if !before || after || parts[1].Text != `"bad"` || len(parts[0].Text) != shownBefore {
		t.Errorf("%v %v %d parts", before, after, len(parts))
	}
	if parts, before, after = markPayload([]byte(huge), nil); before || !after || len(parts[0].Text) != maxShown {
		t.Errorf("%v %v %d parts", before, after, len(parts))
	}
	if _, text = marked("a\x00\x1b\u202e\u200b\r\n\tñ"); text != `a\x00\x1b\u202e\u200b\r`+"\n\tñ" {
		t.Errorf("%q", text)
	}
}

// The page of a reject with as many violations as are listed, in an event as large as one may be, reads the event once.
func TestPayloadOfManyViolations(t *testing.T) {
	t.Parallel()
	var payload strings.Builder
	var violations []Violation
	payload.WriteString(`{"n":0`)
	for i := range 60_000 {
		name := "c" + strconv.Itoa(i)
		payload.WriteString(`,"` + name + `":1`)
		if i < 1000 {
			violations = append(violations, Violation{Pointer: "/" + name})
		}
	}
	payload.WriteByte('}')
	begun := time.Now()
	if got, _ := marked(payload.String(), violations...); len(got) != len(violations) {
		t.Errorf("marked %d of %d", len(got), len(violations))
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// FuzzPayload: no payload and no pointer breaks the page, and what is marked is within the text.
func FuzzPayload(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"é"}]}`), "/a/1/b", "x (byte 3)")
	f.Add([]byte("\xff\x00{"), "/~2/~", "(byte 99999999999999999999)")
	f.Add([]byte(strings.Repeat("[", 20000)), strings.Repeat("/0", 20000), "")
	f.Fuzz(func(t *testing.T, payload []byte, pointer, message string) {
		v := Violation{Pointer: pointer, Message: message}
		for _, at := range findViolations(payload, []Violation{v}) {
			if at.start < 0 || at.start >= at.end || at.end > len(payload) {
				t.Fatalf("%v of %d bytes", at, len(payload))
			}
		}
		parts, before, after := markPayload(payload, []Violation{v, {Pointer: ""}})
		text := ""
		for _, p := range parts {
			text += p.Text
		}
		if !before && !after && text != printable(payload) {
			t.Fatalf("%q is shown as %q", payload, text)
		}
	})
}
