package terminal

import (
	"fmt"
	"strings"
	"time"

	"parley/client"

	"github.com/charmbracelet/x/ansi"
)

const (
	leastWidth  = 20
	leastHeight = 6
)

// A frame is what the screen shows at one moment, all but the input.
type frame struct {
	story         *story
	scroll        *scroll
	painter       painter
	width, height int // of the whole screen
	input         int // lines of the input
	beat          int
	now           time.Time
	retryAt       time.Time // when a lost connection is tried again
	history       history
	candidates    []string
}

// page is the transcript in the lines left to it.
func (f frame) page() page {
	items := f.story.all()
	return page{
		items:  items,
		paint:  func(i int) []string { return f.painter.paint(items, i, f.width, f.beat) },
		height: max(f.height-f.input-2-len(f.banner()), 1),
	}
}

// render returns the lines above the input.
func (f frame) render() string {
	if f.width < leastWidth || f.height < leastHeight {
		return "The window is too small."
	}
	p := f.page()
	lines := append([]string{f.header()}, f.banner()...)
	window := p.window(f.scroll)
	for range p.height - len(window) {
		lines = append(lines, "")
	}
	lines = append(lines, window...)
	lines = append(lines, f.rule())
	return strings.Join(lines, "\n")
}

// header is the room, who is in it, and how the connection is.
func (f frame) header() string {
	mark := map[client.State]string{client.Live: "● live", client.Connecting: "○ connecting", client.Ended: "○ ended"}
	right := firstNonEmpty(mark[f.story.state.State], "○ reconnecting") + " "
	room := firstNonEmpty(Line(f.story.room.Name), Line(f.story.room.ID))
	left := " " + room + f.online() + f.seated()
	space := f.width - ansi.StringWidth(right) - 1
	left = ansi.Truncate(left, space, "…")
	left += strings.Repeat(" ", max(space-ansi.StringWidth(left)+1, 1))
	return f.painter.bar.Render(left + right)
}

func (f frame) online() string {
	var names []string
	for _, p := range f.story.people {
		if p.Online || p.ID == f.story.me {
			names = append(names, f.story.nameOf(p.ID))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("  ·  %d online: %s", len(names), strings.Join(names, ", "))
}

func (f frame) seated() string {
	var names []string
	demo := 0
	for _, m := range f.story.room.Models {
		names = append(names, f.story.nameOf(m.ID))
		if m.Demo {
			demo++
		}
	}
	what := "models: "
	switch {
	case len(names) == 0:
		return ""
	case demo == len(names):
		what = "demo " + what
	}
	return "  ·  " + what + strings.Join(names, ", ")
}

// banner says what to know about a lost connection.
func (f frame) banner() []string {
	s := f.story.state
	if s.State != client.Reconnecting {
		return nil
	}
	text := "No connection"
	if left := f.retryAt.Sub(f.now).Round(time.Second); left > 0 {
		text += fmt.Sprintf(" · next try in %v", left)
	}
	if len(f.story.pending) > 0 {
		text += " · what you wrote is kept"
	}
	text += " · " + Line(s.Err.Error())
	text = ansi.Truncate(" "+text, f.width-1, "…")
	return []string{f.painter.warn.Reverse(true).Render(text + strings.Repeat(" ", f.width-ansi.StringWidth(text)))}
}

// rule is the line above the input: who is writing, what Tab offers, what is new below.
func (f frame) rule() string {
	left := firstNonEmpty(strings.Join(f.candidates, "  "), f.doing())
	right := f.below()
	if left != "" {
		left = "── " + left + " "
	}
	if right != "" {
		right = " " + right + " ──"
	}
	room := f.width - ansi.StringWidth(right)
	left = ansi.Truncate(left, max(room, 0), "…")
	return f.painter.dim.Render(left+strings.Repeat("─", max(room-ansi.StringWidth(left), 0))) + f.painter.bold.Render(right)
}

// doing is how far the autopilot is, and who is writing.
func (f frame) doing() string {
	progress, writing := f.story.progress(), f.writing()
	if progress != "" && writing != "" {
		return progress + " · " + writing
	}
	return progress + writing
}

func (f frame) writing() string {
	var names []string
	for _, t := range f.story.typing {
		names = append(names, t.name)
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0] + " is writing"
	case 2, 3:
		return strings.Join(names, ", ") + " are writing"
	}
	return "several people are writing"
}

func (f frame) below() string {
	switch n := f.story.arrived - f.scroll.seen; {
	case f.scroll.follows():
		return ""
	case n == 1:
		return "↓ 1 new message (Esc)"
	case n > 1:
		return fmt.Sprintf("↓ %d new messages (Esc)", n)
	case f.history.loading:
		return "loading older messages"
	}
	return "↓ newest (Esc)"
}
