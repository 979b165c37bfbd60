package terminal

import (
	"context"
	"strings"
	"time"

	"parley/client"

	tea "charm.land/bubbletea/v2"
)

const wheelLines = 3

// key takes a key press.
func (s *screen) key(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "ctrl+c":
		return tea.Quit
	case "ctrl+d":
		if s.input.area.Value() == "" {
			return tea.Quit
		}
	case "enter":
		return s.enter()
	case "tab":
		s.input.tab(s.story)
		return nil
	case "pgup":
		return s.scrollUp(s.frame().page().height - 1)
	case "pgdown":
		s.scrollDown(s.frame().page().height - 1)
		return nil
	case "esc", "ctrl+end":
		s.scroll = scroll{}
		s.input.complete.reset()
		return nil
	}
	return tea.Batch(s.input.update(k), s.typing())
}

func (s *screen) wheel(m tea.MouseWheelMsg) tea.Cmd {
	switch m.Button {
	case tea.MouseWheelUp:
		return s.scrollUp(wheelLines)
	case tea.MouseWheelDown:
		s.scrollDown(wheelLines)
	}
	return nil
}

// scrollUp scrolls towards the beginning, and asks for older messages before the reader gets there.
func (s *screen) scrollUp(n int) tea.Cmd {
	p := s.frame().page()
	p.up(&s.scroll, n, s.story.arrived)
	ahead := s.scroll
	if near := ahead.follows() || p.up(&ahead, p.height, 0); !near || s.history.begun || s.history.loading {
		return nil
	}
	s.history.loading = true
	from, limit := s.history.older, pageSize
	if !s.history.asked {
		// The first page overlaps with the snapshot, which has no cursor of its own.
		limit += len(s.story.items)
	}
	return func() tea.Msg { return s.seat.older(from, limit) }
}

func (s *screen) scrollDown(n int) {
	if !s.scroll.follows() {
		s.frame().page().down(&s.scroll, n)
	}
}

// enter sends what was written, or carries out the command.
func (s *screen) enter() tea.Cmd {
	line := s.input.take()
	if line == "" {
		return nil
	}
	s.scroll = scroll{}
	text, isCommand := isCommand(line)
	if isCommand {
		return tea.Batch(s.stopTyping(), s.carryOut(s.story.command(line)))
	}
	id := newID()
	s.story.write(id, text, s.now())
	s.unsent = append(s.unsent, client.Draft{Text: text, ClientID: id})
	if len(s.unsent) > 1 {
		return s.stopTyping()
	}
	return tea.Batch(s.stopTyping(), s.sendNext())
}

// sendNext sends the oldest message that was not sent. One is under way at a time, so that they keep their order.
func (s *screen) sendNext() tea.Cmd {
	if len(s.unsent) == 0 {
		return nil
	}
	d := s.unsent[0]
	return func() tea.Msg {
		a := answered{id: d.ClientID}
		a.err = s.seat.do(func(ctx context.Context, c *client.Session) (err error) {
			a.offset, err = c.Send(ctx, d)
			return err
		})
		return a
	}
}

func (s *screen) carryOut(a action) tea.Cmd {
	if a.say != "" {
		s.story.add(&item{kind: notice, text: a.say})
	}
	if a.fail != "" {
		s.story.complain(a.fail)
	}
	switch {
	case a.quit:
		return tea.Quit
	case a.do != nil:
		return func() tea.Msg { return answered{err: s.seat.do(a.do)} }
	case a.ask != nil:
		return func() tea.Msg {
			var got answered
			got.err = s.seat.do(func(ctx context.Context, c *client.Session) (err error) {
				got.say, err = a.ask(ctx, c)
				return err
			})
			return got
		}
	}
	return nil
}

// typing tells the others that this person writes, every now and then, and that it stopped when nothing is left.
func (s *screen) typing() tea.Cmd {
	if s.input.area.Value() == "" {
		return s.stopTyping()
	}
	if strings.HasPrefix(s.input.area.Value(), "/") || s.now().Sub(s.typedAt) < typingEvery {
		return nil
	}
	s.typedAt = s.now()
	return s.tellTyping(true)
}

func (s *screen) stopTyping() tea.Cmd {
	if s.typedAt.IsZero() {
		return nil
	}
	s.typedAt = time.Time{}
	return s.tellTyping(false)
}

// tellTyping is not worth an error: nobody misses it.
func (s *screen) tellTyping(on bool) tea.Cmd {
	return func() tea.Msg {
		_ = s.seat.do(func(_ context.Context, c *client.Session) error { return c.Typing(on) })
		return nil
	}
}
