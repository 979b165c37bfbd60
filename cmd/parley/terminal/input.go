package terminal

import (
	"strings"

	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

// An input is the line a person writes on: several lines, if it must be. It remembers what was sent, and completes.
type input struct {
	area     textarea.Model
	past     []string
	at       int    // which of the past is shown; len(past) is none
	draft    string // what was there before the past was looked at
	complete completion
}

const mostInputLines = 6

func newInput(placeholder string) input {
	a := textarea.New()
	a.Prompt = "› "
	a.Placeholder = placeholder
	a.ShowLineNumbers = false
	a.CharLimit = 0
	a.DynamicHeight, a.MinHeight, a.MaxHeight, a.MaxContentHeight = true, 1, mostInputLines, 10_000
	a.SetVirtualCursor(false)
	a.KeyMap.InsertNewline.SetKeys("alt+enter", "shift+enter", "ctrl+j")
	a.SetStyles(inputStyles())
	a.Focus()
	return input{area: a}
}

func inputStyles() textarea.Styles {
	plain := lipgloss.NewStyle()
	state := textarea.StyleState{
		Base: plain, Text: plain, LineNumber: plain, CursorLineNumber: plain, CursorLine: plain, EndOfBuffer: plain,
		Placeholder: plain.Faint(true), Prompt: plain.Bold(true), Selection: plain.Reverse(true),
	}
	return textarea.Styles{Focused: state, Blurred: state, Cursor: textarea.CursorStyle{Shape: tea.CursorBar, Blink: true}}
}

// take returns what was written and clears the line; empty if there is nothing.
func (in *input) take() string {
	text := strings.TrimSpace(in.area.Value())
	if text == "" {
		return ""
	}
	if n := len(in.past); n == 0 || in.past[n-1] != text {
		in.past = append(in.past, text)
	}
	in.at, in.draft = len(in.past), ""
	in.complete.reset()
	in.area.Reset()
	return text
}

// recall shows an older or newer line of what was sent, and reports whether there was one to show.
func (in *input) recall(step int) bool {
	to := in.at + step
	if to < 0 || to > len(in.past) {
		return false
	}
	if in.at == len(in.past) {
		in.draft = in.area.Value()
	}
	in.at = to
	text := in.draft
	if to < len(in.past) {
		text = in.past[to]
	}
	in.area.SetValue(text)
	return true
}

// update takes a key or a paste. Up and down recall where the cursor cannot move any further.
func (in *input) update(msg tea.Msg) tea.Cmd {
	if key, ok := msg.(tea.KeyPressMsg); ok {
		in.complete.reset()
		switch key.String() {
		case "up":
			if in.area.Line() == 0 && in.area.LineInfo().RowOffset == 0 && in.recall(-1) {
				return nil
			}
		case "down":
			last := in.area.LineCount() - 1
			info := in.area.LineInfo()
			if in.area.Line() == last && info.RowOffset >= info.Height-1 && in.recall(1) {
				return nil
			}
		}
	}
	var cmd tea.Cmd
	in.area, cmd = in.area.Update(msg)
	return cmd
}

// before returns what stands before the cursor in its line.
func (in *input) before() string {
	lines := strings.Split(in.area.Value(), "\n")
	line := []rune(lines[min(in.area.Line(), len(lines)-1)])
	return string(line[:min(in.area.Column(), len(line))])
}

// tab completes the word before the cursor, or replaces it by the next candidate.
func (in *input) tab(s *story) {
	c := &in.complete
	if len(c.found) == 0 {
		*c = find(s, in.before(), in.area.Line() == 0)
	}
	if len(c.found) == 0 {
		return
	}
	for range []rune(c.shown) {
		in.area, _ = in.area.Update(tea.KeyPressMsg{Code: tea.KeyBackspace})
	}
	c.shown = c.found[c.next] + " "
	c.next = (c.next + 1) % len(c.found)
	in.area.InsertString(c.shown)
}
