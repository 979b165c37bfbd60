package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"parley/client"
)

// quietTime is how long nothing may happen before a Plain seat whose input has ended is given up.
const quietTime = time.Second

// Plain shows the room line by line: it prints what happens to out and takes messages and commands from in. When in
// ends, it waits until all is sent and the models have answered. A message has its speaker before it, and further
// lines of it are indented; what happens begins with "*", what goes wrong with "!".
func Plain(ctx context.Context, c *client.Client, o client.JoinOptions, in io.Reader, out io.Writer) error {
	session, err := c.Join(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &plainSeat{session: session, story: newStory(o.User), out: out, answers: make(chan answered, 1)}
	// Reading stdin cannot be called off, so this goroutine may outlive the seat: the program ends with it.
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	events := make(chan happened)
	go func() {
		for {
			ev, err := session.Next(ctx)
			select {
			case events <- happened{[]client.Event{ev}, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return p.run(ctx, lines, events)
}

// A plainSeat belongs to the goroutine of run.
type plainSeat struct {
	session *client.Session
	story   *story
	out     io.Writer
	told    bool // somebody was told that the connection is lost
	shown   bool // the room was shown
	unsent  []string
	sending bool
	answers chan answered // of what is being sent
}

func (p *plainSeat) run(ctx context.Context, lines <-chan string, events <-chan happened) error {
	quiet := time.NewTimer(quietTime)
	defer quiet.Stop()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				lines = nil
			} else if p.take(ctx, line) {
				return nil
			}
		case h := <-events:
			if h.err != nil {
				return ending(ctx, h.err)
			}
			p.show(h.events[0])
			if p.next(ctx) {
				return nil
			}
		case a := <-p.answers:
			if p.answered(ctx, a) {
				return nil
			}
		case <-quiet.C:
			if lines == nil && p.idle() {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
		quiet.Reset(quietTime)
	}
}

func (p *plainSeat) idle() bool {
	return p.shown && !p.sending && len(p.unsent) == 0 && len(p.story.replies) == 0
}

// ending is err, unless that is an end that was asked for.
func ending(ctx context.Context, err error) error {
	asked := ctx.Err() != nil || errors.Is(err, client.ErrLeft) || errors.Is(err, client.ErrClosed)
	if !asked {
		return err
	}
	return nil
}

// take carries out a line and reports whether it was the last.
func (p *plainSeat) take(ctx context.Context, line string) (quit bool) {
	if strings.TrimSpace(line) == "" {
		return false
	}
	p.unsent = append(p.unsent, line)
	return p.next(ctx)
}

// next carries out the lines until one has to wait for its answer. Commands need to know the room.
func (p *plainSeat) next(ctx context.Context) (quit bool) {
	for p.shown && !p.sending && len(p.unsent) > 0 {
		line := p.unsent[0]
		p.unsent = p.unsent[1:]
		text, isCommand := isCommand(line)
		a := action{do: func(ctx context.Context, c *client.Session) error {
			_, err := c.Send(ctx, client.Draft{Text: text})
			return err
		}}
		if isCommand {
			a = p.story.command(line)
		}
		p.print("* ", a.say)
		p.print("! ", a.fail)
		if a.quit {
			return true
		}
		if a.do != nil {
			p.sending = true
			go func() { p.answers <- answered{err: a.do(ctx, p.session)} }()
		}
		if a.ask != nil {
			p.sending = true
			go func() {
				say, err := a.ask(ctx, p.session)
				p.answers <- answered{say: say, err: err}
			}()
		}
	}
	return false
}

func (p *plainSeat) answered(ctx context.Context, a answered) (quit bool) {
	p.sending = false
	p.print("* ", a.say)
	if a.err != nil && ending(ctx, a.err) != nil {
		p.print("! ", a.err.Error())
	}
	return p.next(ctx)
}

// show folds an event and prints what it added to the story.
func (p *plainSeat) show(ev client.Event) {
	before := p.story.items
	p.story.apply(ev, time.Now())
	switch e := ev.(type) {
	case client.StateChanged:
		p.showState(e)
	case client.Snapshot:
		p.shown = true
		p.print("* ", p.whereabouts())
		before = p.story.items[:max(0, len(p.story.items)-10)]
	case client.Thinking:
		p.print("* ", p.story.nameOf(e.ModelID)+" is thinking")
	case client.TurnBegan:
		p.print("* ", p.story.progress())
	case client.PollCreated:
		p.print(indent, p.story.card(p.story.council.Poll(e.Poll.ID)))
	case client.Voted:
		p.print("* ", p.story.voting(e))
	}
	for i, it := range p.story.items {
		// One that takes the place of another is news too.
		if i >= len(before) || i == len(before)-1 && it != before[i] {
			p.showItem(it)
		}
	}
}

func (p *plainSeat) showState(e client.StateChanged) {
	switch {
	case e.State == client.Reconnecting && !p.told:
		p.told = true
		p.print("! ", "No connection: "+e.Err.Error()+". Trying again; what you write is kept.")
	case e.State == client.Live:
		if p.told {
			p.print("* ", "The connection is back.")
		}
		p.told = false
	}
}

func (p *plainSeat) whereabouts() string {
	var labels []string
	for _, m := range p.story.room.Models {
		labels = append(labels, "@"+Line(m.ID)+" is "+modelLabel(m))
	}
	return strings.Join(append([]string{"You are in " + Line(p.story.room.Name)}, labels...), "; ")
}

func (p *plainSeat) showItem(it *item) {
	switch it.kind {
	case notice:
		p.print("* ", it.text)
	case problem:
		p.print("! ", it.text)
	case message:
		name := firstNonEmpty(it.name, it.by)
		if it.demo {
			name += " (demo model)"
		}
		if it.note != "" {
			p.print(name+": ", it.text+" ["+it.note+"]")
			return
		}
		p.print(name+": ", it.text)
		p.print(indent, it.card)
	}
}

// print prints a text of several lines, if there is any. A reader that is gone ends the program by itself.
func (p *plainSeat) print(before, text string) {
	if text == "" {
		return
	}
	for i, line := range strings.Split(Text(text), "\n") {
		if i > 0 {
			before = indent
		}
		fmt.Fprintln(p.out, strings.TrimRight(before+line, " "))
	}
}
