package terminal

import (
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

const (
	indent       = "  "
	togetherTime = 5 * time.Minute // messages of one speaker within it share a heading
	cursorMark   = "▌"

	speakerColours = 8
)

// A painting is an item as it was last painted, and what it depended on beside the item.
type painting struct {
	width int
	lead  bool
	quote string
	lines []string
}

// A painter turns items into lines. It is not changed by painting.
type painter struct {
	bold, dim, warn, bar lipgloss.Style
	speakers             [speakerColours]lipgloss.Style
	zone                 *time.Location
}

func newPainter(zone *time.Location) painter {
	p := painter{
		bold: lipgloss.NewStyle().Bold(true), dim: lipgloss.NewStyle().Faint(true),
		warn: lipgloss.NewStyle().Foreground(lipgloss.Color("1")), bar: lipgloss.NewStyle().Reverse(true), zone: zone,
	}
	// The terminal's own colours, so that they suit its background.
	for i, c := range [speakerColours]string{"6", "2", "5", "3", "12", "14", "10", "13"} {
		p.speakers[i] = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color(c))
	}
	return p
}

// paint returns the lines of items[i], each at most width wide. Beat moves what turns.
func (p painter) paint(items []*item, i, width, beat int) []string {
	it := items[i]
	lead, quote := leads(items, i), quoteOf(items, i)
	c := &it.painted
	if c.lines != nil && c.width == width && c.lead == lead && c.quote == quote && it.phase != thinking {
		return c.lines
	}
	*c = painting{width, lead, quote, p.lines(it, lead, quote, width, beat)}
	return c.lines
}

func (p painter) lines(it *item, lead bool, quote string, width, beat int) []string {
	switch it.kind {
	case notice:
		return p.block("· ", indent, it.text, width, p.dim)
	case problem:
		return p.block("! ", indent, it.text, width, p.warn)
	case message:
	}
	var lines []string
	if lead {
		lines = append(lines, "", p.heading(it, width))
	}
	if quote != "" {
		lines = append(lines, p.dim.Render(ansi.Truncate(indent+"↳ "+quote, width, "…")))
	}
	lines = append(lines, p.body(it, width, beat)...)
	if it.card != "" {
		lines = append(lines, p.block(indent, indent, it.card, width, lipgloss.NewStyle())...)
	}
	if it.note != "" {
		style := p.dim
		if it.phase == refused {
			style = p.warn
		}
		lines = append(lines, p.block(indent+"— ", indent+indent, it.note, width, style)...)
	}
	return lines
}

func (p painter) body(it *item, width, beat int) []string {
	switch it.phase {
	case thinking:
		return []string{p.dim.Render(indent + spinner(beat) + " thinking")}
	case speaking:
		return p.block(indent, indent, it.text+cursorMark, width, lipgloss.NewStyle())
	case waiting, refused:
		return p.block(indent, indent, it.text, width, p.dim)
	case settled:
	}
	return p.block(indent, indent, it.text, width, lipgloss.NewStyle())
}

// heading is who speaks, and when.
func (p painter) heading(it *item, width int) string {
	name := it.name
	if name == "" {
		name = it.by
	}
	about := ""
	switch {
	case it.demo:
		about = " demo model"
	case it.model:
		about = " model"
	}
	switch it.phase {
	case waiting:
		about += " sending"
	case settled, speaking, thinking, refused:
		if !it.at.IsZero() {
			about += " " + it.at.In(p.zone).Format("15:04")
		}
	}
	name = ansi.Truncate(name, max(width-ansi.StringWidth(about), 4), "…")
	return ansi.Truncate(p.speakers[it.colour].Render(name)+p.dim.Render(about), width, "")
}

// block wraps text to width, the first line behind first and the others behind rest.
func (p painter) block(first, rest, text string, width int, style lipgloss.Style) []string {
	room := max(width-ansi.StringWidth(first), 1)
	lines := strings.Split(ansi.Wrap(text, room, ""), "\n")
	for i, line := range lines {
		before := rest
		if i == 0 {
			before = first
		}
		lines[i] = style.Render(before + strings.TrimRight(line, " "))
	}
	return lines
}

// leads reports whether items[i] needs a heading: its speaker is not the one before, or silent for a while.
func leads(items []*item, i int) bool {
	it := items[i]
	if it.kind != message {
		return false
	}
	if i == 0 || it.model {
		return true
	}
	before := items[i-1]
	return before.kind != message || before.by != it.by || before.model || before.phase != it.phase ||
		it.at.Sub(before.at) > togetherTime
}

// quoteOf tells what items[i] answers, if that is not what is right above it.
func quoteOf(items []*item, i int) string {
	it := items[i]
	if it.replyTo == "" || i > 0 && items[i-1].id == it.replyTo {
		return ""
	}
	for j := i - 1; j >= 0 && j > i-200; j-- {
		if q := items[j]; q.id == it.replyTo {
			return q.name + ": " + strings.ReplaceAll(q.text, "\n", " ")
		}
	}
	return ""
}

func spinner(beat int) string {
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	return string(frames[beat%len(frames)])
}
