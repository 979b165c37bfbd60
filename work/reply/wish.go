package reply

import (
	"encoding/json"
	"fmt"
	"strings"

	"parley/room"
)

// A wish is what a model asked of its tools, as far as it can be granted.
type wish struct {
	mentions []mention
	optOut   bool
	reason   string
	finish   *room.Finish
	ask      *room.Ask
	poll     *room.OpenPoll
}

// text is what the reply says if the model said nothing beside its call.
func (w *wish) text() string {
	switch {
	case w.finish != nil:
		return w.finish.Summary
	case w.ask != nil:
		return listed(w.ask.Question, w.ask.Options)
	case w.poll != nil:
		return listed(w.poll.Question, w.poll.Options)
	}
	return ""
}

func listed(question string, options []room.Option) string {
	var b strings.Builder
	b.WriteString(question)
	for i, o := range options {
		fmt.Fprintf(&b, "\n%d. %s", i+1, o.Text)
		if o.Description != "" {
			b.WriteString(": " + o.Description)
		}
	}
	return b.String()
}

type finishArgs struct {
	Summary string `json:"summary" desc:"the result, so that somebody who read nothing else understands it"`
}

func (a finishArgs) wish() (*room.Finish, string) {
	summary := strings.TrimSpace(a.Summary)
	if summary == "" {
		return nil, "it has no summary"
	}
	return &room.Finish{Summary: summary}, ""
}

type askArgs struct {
	Question string      `json:"question" desc:"what the people have to decide, in one sentence"`
	Options  []optionArg `json:"options" desc:"at least two answers to choose from"`
}

func (a askArgs) wish() (*room.Ask, string) {
	options := distinct(a.Options)
	question := strings.Join(strings.Fields(a.Question), " ")
	if question == "" || len(options) < 2 {
		return nil, "it has no question, or fewer than two different options"
	}
	return &room.Ask{Question: question, Options: options}, ""
}

type pollArgs struct {
	askArgs
	Multiple  bool `json:"multiple,omitempty" desc:"whether one may choose several options"`
	Anonymous bool `json:"anonymous,omitempty" desc:"whether nobody may learn who voted what"`
}

func (a pollArgs) wish() (*room.OpenPoll, string) {
	ask, ignored := a.askArgs.wish()
	if ask == nil {
		return nil, ignored
	}
	return &room.OpenPoll{Question: ask.Question, Options: ask.Options, Multiple: a.Multiple, Anonymous: a.Anonymous}, ""
}

// An optionArg is an option as a model writes it.
type optionArg struct {
	Text        string `json:"text" desc:"a few words"`
	Description string `json:"description,omitempty" desc:"what it means, if the words do not say it"`
}

// UnmarshalJSON takes a bare string, too.
func (o *optionArg) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &o.Text) == nil {
		return nil
	}
	type plain optionArg
	return json.Unmarshal(data, (*plain)(o))
}

// distinct lists the options that say something new, each on one line.
func distinct(args []optionArg) []room.Option {
	var options []room.Option
	seen := make(map[string]bool)
	for _, a := range args {
		text := strings.Join(strings.Fields(a.Text), " ")
		if key := strings.ToLower(text); text != "" && !seen[key] {
			seen[key] = true
			options = append(options, room.Option{Text: text, Description: strings.TrimSpace(a.Description)})
		}
	}
	return options
}
