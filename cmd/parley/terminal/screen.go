package terminal

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"parley/client"

	tea "charm.land/bubbletea/v2"
)

const (
	gatherTime  = 25 * time.Millisecond  // events that come together are painted together
	beatTime    = 100 * time.Millisecond // of what moves by itself
	mostGather  = 500
	typingEvery = 3 * time.Second
	pageSize    = 50
)

// Screen shows the room over the whole terminal until the person wants no more. It returns client.ErrLeft when the
// membership ended, or why the server ended it.
func Screen(ctx context.Context, c *client.Client, o client.JoinOptions) error {
	session, err := c.Join(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := newScreen(o, seat{
		take:  func() tea.Msg { return gather(ctx, session) },
		older: func(from string, limit int) tea.Msg { return older(ctx, c, o.Room, from, limit) },
		do:    func(f func(context.Context, *client.Session) error) error { return f(ctx, session) },
	})
	// Signals end ctx. With a handler of its own beside it, bubbletea waits for itself for ever.
	last, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithoutSignalHandler()).Run()
	if s, ok := last.(*screen); ok && s.ended != nil {
		return s.ended
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// A seat is what a screen does to the world. Its functions wait, so they run as commands of bubbletea.
type seat struct {
	take  func() tea.Msg
	older func(from string, limit int) tea.Msg
	do    func(func(context.Context, *client.Session) error) error
}

type (
	// happened carries what the session told; err is why it ended.
	happened struct {
		events []client.Event
		err    error
	}
	// answered is the end of a message or a command. Id is empty for commands.
	answered struct {
		id     string
		offset uint64
		say    string // to show
		err    error
	}
	// loaded carries a page of history.
	loaded struct {
		page client.Page
		err  error
	}
	beat time.Time
)

// gather waits for an event and takes those that follow closely.
func gather(ctx context.Context, session *client.Session) tea.Msg {
	ev, err := session.Next(ctx)
	if err != nil {
		return happened{err: err}
	}
	h := happened{events: []client.Event{ev}}
	soon, cancel := context.WithTimeout(ctx, gatherTime)
	defer cancel()
	for len(h.events) < mostGather {
		ev, err := session.Next(soon)
		if err != nil {
			if soon.Err() == nil {
				h.err = err
			}
			return h
		}
		h.events = append(h.events, ev)
	}
	return h
}

func older(ctx context.Context, c *client.Client, room, from string, limit int) tea.Msg {
	page, err := c.HistoryPage(ctx, room, from, limit)
	return loaded{page, err}
}

// history is how far back the story goes.
type history struct {
	older   string
	asked   bool // at least once
	begun   bool // there is nothing before it
	loading bool
}

// A screen is the whole of it: bubbletea's model.
type screen struct {
	seat    seat
	story   *story
	input   input
	scroll  scroll
	painter painter
	history history

	width, height int
	beat          int
	beating       bool
	now           func() time.Time
	retryAt       time.Time
	unsent        []client.Draft
	typedAt       time.Time // when the others were last told that this person writes; zero if they believe the contrary
	ended         error
}

func newScreen(o client.JoinOptions, s seat) *screen {
	hint := "Write to the room. @name asks a model, /help shows more."
	if o.Role == client.Viewer {
		hint = "You are watching. /help shows what you can do."
	}
	story := newStory(o.User)
	story.room.ID = o.Room
	return &screen{
		seat: s, story: story, input: newInput(hint), painter: newPainter(time.Local),
		now: time.Now, width: 80, height: 24,
	}
}

// Init implements tea.Model.
func (s *screen) Init() tea.Cmd { return s.seat.take }

// Update implements tea.Model.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := s.update(msg)
	return s, tea.Batch(cmd, s.keepBeating())
}

func (s *screen) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
		s.input.area.SetWidth(msg.Width)
	case happened:
		return s.happened(msg)
	case answered:
		return s.answered(msg)
	case loaded:
		s.loaded(msg)
	case beat:
		s.beating = false
		s.beat++
		s.story.expire(s.now())
	case tea.MouseWheelMsg:
		return s.wheel(msg)
	case tea.KeyPressMsg:
		return s.key(msg)
	case tea.PasteMsg:
		msg.Content = Text(msg.Content)
		return tea.Batch(s.input.update(msg), s.typing())
	default:
		return s.input.update(msg)
	}
	return nil
}

func (s *screen) happened(h happened) tea.Cmd {
	for _, ev := range h.events {
		s.story.apply(ev, s.now())
		switch e := ev.(type) {
		case client.StateChanged:
			s.retryAt = s.now().Add(e.Retry)
		case client.Snapshot:
			s.history, s.scroll = history{}, scroll{}
			if len(e.Messages) < pageSize {
				s.begin()
			}
		}
	}
	if h.err == nil {
		return s.seat.take
	}
	if !errors.Is(h.err, client.ErrClosed) && !errors.Is(h.err, context.Canceled) {
		s.ended = h.err
	}
	return tea.Quit
}

func (s *screen) answered(a answered) tea.Cmd {
	gone := errors.Is(a.err, client.ErrLeft) || errors.Is(a.err, client.ErrClosed)
	if a.id == "" {
		if a.err != nil && !gone {
			s.story.complain(a.err.Error())
		}
		if a.say != "" {
			s.story.add(&item{kind: notice, text: Text(a.say)})
		}
		return nil
	}
	switch {
	case a.err == nil:
		s.story.stored(a.id, a.offset)
	case !gone:
		s.story.refuse(a.id, a.err.Error())
	}
	s.unsent = s.unsent[1:]
	return s.sendNext()
}

func (s *screen) loaded(l loaded) {
	s.history.loading = false
	if l.err != nil {
		s.story.complain("Older messages could not be loaded: " + l.err.Error())
		return
	}
	s.history.asked, s.history.older = true, l.page.Older
	s.story.prepend(l.page.Messages)
	if l.page.Older == "" {
		s.begin()
	}
}

// begin marks the beginning of the room.
func (s *screen) begin() {
	s.history.begun = true
	s.story.items = slices.Insert(s.story.items, 0, &item{kind: notice, text: "The room begins here."})
}

// keepBeating makes the next beat happen while anything moves by itself.
func (s *screen) keepBeating() tea.Cmd {
	moves := len(s.story.replies) > 0 || len(s.story.typing) > 0 || s.story.state.State == client.Reconnecting
	if !moves || s.beating {
		return nil
	}
	s.beating = true
	return tea.Tick(beatTime, func(t time.Time) tea.Msg { return beat(t) })
}

// View implements tea.Model.
func (s *screen) View() tea.View {
	f := s.frame()
	content := f.render()
	if s.width >= leastWidth && s.height >= leastHeight {
		content += "\n" + s.input.area.View()
	}
	v := tea.NewView(content)
	v.AltScreen = true
	v.MouseMode = tea.MouseModeCellMotion
	v.WindowTitle = "parley: " + firstNonEmpty(Line(s.story.room.Name), "joining")
	if c := s.input.area.Cursor(); c != nil {
		c.Y += s.height - s.input.area.Height()
		v.Cursor = c
	}
	return v
}

func (s *screen) frame() frame {
	return frame{
		story: s.story, scroll: &s.scroll, painter: s.painter, width: s.width, height: s.height,
		input: s.input.area.Height(), beat: s.beat, now: s.now(), retryAt: s.retryAt, history: s.history,
		candidates: s.input.complete.found,
	}
}

func newID() string { return rand.Text() }
