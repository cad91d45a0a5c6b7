// Package doc reads the repository's documents, so that its tests can hold them against the tree: links, names,
// commands, figures, and that a document says the same in both languages.
package doc

import (
	"regexp"
	"strings"
)

// Document is a Markdown file.
type Document struct {
	// Path is from the repository's root.
	Path string
	// Sections are in order; the first is what stands before any heading.
	Sections []Section
	// Blocks are the fenced ones, in order.
	Blocks []Block
}

// Section is a heading and the prose below it, without fenced blocks.
type Section struct {
	Level   int
	Heading string
	Prose   string
}

// Block is a fenced block of a language, such as sh.
type Block struct {
	Language string
	Text     string
}

var (
	fence   = regexp.MustCompile("^( *)```(\\w*)$")
	heading = regexp.MustCompile(`^(#{1,6}) (.*)$`)
)

// Parse reads a document.
func Parse(path, text string) Document {
	d := Document{Path: path, Sections: []Section{{}}}
	var block *Block
	var indent string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		last := &d.Sections[len(d.Sections)-1]
		mark := fence.FindStringSubmatch(line)
		switch {
		case block != nil && mark != nil && mark[2] == "":
			d.Blocks = append(d.Blocks, *block)
			block = nil
		case block != nil:
			block.Text += strings.TrimPrefix(line, indent) + "\n"
		case mark != nil:
			block, indent = &Block{Language: mark[2]}, mark[1]
		default:
			if h := heading.FindStringSubmatch(line); h != nil {
				d.Sections = append(d.Sections, Section{Level: len(h[1]), Heading: h[2]})
				continue
			}
			last.Prose += line + "\n"
		}
	}
	return d
}

// Number is what a numbered heading begins with ("1.1.a"), or empty.
func (s Section) Number() string {
	return regexp.MustCompile(`^\d+(\.\w+)+`).FindString(s.Heading)
}

// Commands are the lines of the blocks of language sh, without comments and the names of folders that are
// entered first.
func (d Document) Commands() []string {
	var all []string
	for _, b := range d.Blocks {
		if b.Language != "sh" {
			continue
		}
		for line := range strings.Lines(b.Text) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				all = append(all, line)
			}
		}
	}
	return all
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
	anchor   = regexp.MustCompile(`<a id="([^"]+)">`)
)

// Links are the targets of the section's links.
func (s Section) Links() []string { return matches(link, s.Prose) }

// Code is what stands between backticks.
func (s Section) Code() []string { return matches(codeSpan, s.Prose) }

func matches(re *regexp.Regexp, text string) []string {
	var all []string
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// Anchors are what a link may name behind #: GitHub's names of the headings, and those that are given.
func (d Document) Anchors() []string {
	var all []string
	for _, s := range d.Sections {
		all = append(all, slug(s.Heading))
		all = append(all, matches(anchor, s.Prose)...)
	}
	return all
}

// slug is the name that GitHub gives a heading: lower case, letters, digits and hyphens.
func slug(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || isWord(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}
