package terminal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"parley/client"
)

// An action is what a command comes to.
type action struct {
	say  string                                                 // to show at once
	fail string                                                 // what is wrong with the command
	do   func(context.Context, *client.Session) error           // to do beside
	ask  func(context.Context, *client.Session) (string, error) // to ask the server, instead of do; what it says is shown
	quit bool
}

// A command is what can be typed after "/".
type command struct {
	name, args, help string
	run              func(s *story, args string) action
}

func commands() []command {
	return slices.Concat([]command{
		{"interrupt", "[model]", "stop what a model is saying, or all of them", interrupt},
		{"models", "", "list the models", models},
		{"add", "id[=model] [name]", "give a model a seat", addModel},
		{"remove", "model", "take a model's seat away", removeModel},
		{"people", "", "list the people", people},
		{"describe", "text", "say what the room is about; models read it too", describe},
		{"rename", "name", "change the name you are shown under", rename},
	}, councilCommands(), []command{
		{"leave", "", "give up your place in the room", leave},
		{"quit", "", "end; you stay a member", func(*story, string) action { return action{quit: true} }},
		{"help", "", "show this", help},
	})
}

// isCommand reports whether a line is a command, and returns what to say if it is not: "//" begins a message with "/".
func isCommand(line string) (text string, ok bool) {
	if rest, escaped := strings.CutPrefix(line, "//"); escaped {
		return "/" + rest, false
	}
	return line, strings.HasPrefix(line, "/")
}

// command carries out a line that begins with "/", as far as the story goes.
func (s *story) command(line string) action {
	name, args, _ := strings.Cut(strings.TrimPrefix(line, "/"), " ")
	for _, c := range commands() {
		if c.name == strings.ToLower(name) {
			return c.run(s, strings.TrimSpace(args))
		}
	}
	return action{fail: fmt.Sprintf("There is no command /%s: see /help. To say it, begin with //.", Line(name))}
}

func help(*story, string) action {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "%-28s %s\n", strings.TrimSpace("/"+c.name+" "+c.args), c.help)
	}
	b.WriteString("\n@name asks a model to reply, @all asks every one.\n")
	b.WriteString("Tab completes names and commands. Up and Down bring back what you wrote.\n")
	b.WriteString("Alt-Enter or Ctrl-J begins a new line. Ctrl-C ends.\n")
	b.WriteString("PgUp, PgDn and the wheel scroll, Esc goes back to the newest.\n")
	b.WriteString("Hold Shift to select text with the mouse.")
	return action{say: b.String()}
}

func interrupt(s *story, args string) action {
	var ids []string
	if args != "" {
		m := s.findModel(args)
		if m == nil {
			return s.noModel(args)
		}
		ids = []string{m.ID}
	} else {
		for _, r := range s.replies {
			ids = append(ids, r.by)
		}
	}
	if len(ids) == 0 {
		return action{fail: "No model is saying anything now."}
	}
	return action{do: func(_ context.Context, seat *client.Session) error {
		done := make(map[string]bool)
		for _, id := range ids {
			if done[id] {
				continue
			}
			if err := seat.Interrupt(id, ""); err != nil {
				return err
			}
			done[id] = true
		}
		return nil
	}}
}

func models(s *story, _ string) action {
	if len(s.room.Models) == 0 {
		return action{say: "No model has a seat here. Give one a seat with /add."}
	}
	var b strings.Builder
	for _, m := range s.room.Models {
		fmt.Fprintf(&b, "@%-16s %s", Line(m.ID), modelLabel(m))
		for _, more := range []string{m.Title, m.Model} {
			if more != "" && !(m.Demo && more == "demo model") {
				b.WriteString(", " + Line(more))
			}
		}
		b.WriteByte('\n')
	}
	return action{say: strings.TrimSuffix(b.String(), "\n")}
}

func addModel(_ *story, args string) action {
	spec, name, _ := strings.Cut(args, " ")
	id, model, _ := strings.Cut(spec, "=")
	if id == "" {
		return action{fail: "Which one? For instance: /add ada, or /add ada=gpt-5 Ada Lovelace"}
	}
	return action{do: func(ctx context.Context, seat *client.Session) error {
		_, err := seat.AddModel(ctx, client.Model{ID: id, Model: model, Name: strings.TrimSpace(name)})
		return err
	}}
}

func removeModel(s *story, args string) action {
	m := s.findModel(args)
	if m == nil {
		return s.noModel(args)
	}
	id := m.ID
	return action{do: func(ctx context.Context, seat *client.Session) error {
		_, err := seat.RemoveModel(ctx, id)
		return err
	}}
}

func (s *story) noModel(name string) action {
	if name == "" {
		return action{fail: "Which model? /models lists them."}
	}
	return action{fail: fmt.Sprintf("There is no model %s here: /models lists them.", Line(name))}
}

func people(s *story, _ string) action {
	var b strings.Builder
	for _, p := range s.people {
		where := "away"
		if p.Online || p.ID == s.me {
			where = "here"
		}
		fmt.Fprintf(&b, "%-16s %s, %s, %s\n", Line(p.ID), s.nameOf(p.ID), roleLabel(p.Role), where)
	}
	return action{say: strings.TrimSuffix(b.String(), "\n")}
}

func describe(s *story, args string) action {
	if args == "" {
		return action{say: "The room is about: " + Text(firstNonEmpty(s.room.Description, "(nothing yet)"))}
	}
	return action{do: func(ctx context.Context, seat *client.Session) error {
		_, err := seat.Describe(ctx, args)
		return err
	}}
}

func rename(_ *story, args string) action {
	if args == "" {
		return action{fail: "What is the new name? For instance: /rename Maja K."}
	}
	return action{do: func(_ context.Context, seat *client.Session) error { return seat.Rename(args) }}
}

func leave(*story, string) action {
	return action{do: func(ctx context.Context, seat *client.Session) error { return seat.Leave(ctx) }}
}

func firstNonEmpty(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
