package ballot

import (
	"fmt"
	"strings"

	"parley/llm"
	"parley/room"
	"parley/work/talk"
)

// request is all that a model is told for its vote: who it is and where, what was said before the poll, and the poll.
func (w *Worker) request(v room.View, p room.Poll, self room.Model) llm.Request {
	who := talk.NewNames(v, self.ID)
	var system strings.Builder
	talk.Introduce(&system, v, self, who, p.At)
	system.WriteString("\n" + talk.Reading + manners + talk.Caution)
	poll := describe(p, who)
	left := w.cfg.ContextTokens - talk.Tokens(system.String()) - talk.Tokens(poll) - 2*talk.TurnTokens - talk.ToolTokens(w.tools)
	told := talk.Telling{
		Names: who, Messages: before(v.Messages, p.ID), Window: w.cfg.Window, Summary: v.Summary, Closing: poll,
	}
	turns, _ := told.Turns(max(left, w.cfg.ContextTokens/4))
	req := llm.Request{Tools: w.tools, MaxTokens: w.cfg.MaxTokens}
	if self.Model != "" {
		req.Models = []string{self.Model}
	}
	req.Messages = append([]llm.Message{{Role: llm.System, Text: system.String()}}, turns...)
	return req
}

const manners = `- At the end you are asked to vote in a poll of the room.

How to vote:
- Use the tool ` + voteTool + `, once, and write nothing else.
- Vote as you judge the matter yourself, by your part and persona. Nobody's vote is shown to you, and yours is shown to no other model that has not voted.
- Say in the reason what decides it for you. If you have no ground to prefer any option, use the tool ` + optOutTool + `.
- Answer in the language of the poll.
`

// before lists what was said before a poll was opened, so that all models decide on the same ground.
func before(said []room.Message, poll room.Offset) []room.Message {
	var list []room.Message
	for _, m := range said {
		if m.Entry < poll {
			list = append(list, m)
		}
	}
	return list
}

// describe tells the poll. What its members wrote of it is quoted, each piece on a line of its own.
func describe(p room.Poll, who *talk.Names) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[Vote now in this poll, which %s opened. %s", who.Of(room.Message{By: p.By, Name: p.Opened.Name}), rules(p.Opened))
	fmt.Fprintf(&b, "]\n[The question:]\n%s\n[The options, by their numbers:]", talk.Block(p.Opened.Question))
	for i, o := range p.Opened.Options {
		fmt.Fprintf(&b, "\n> %d. %s", i+1, talk.OneLine(o.Text))
		if o.Description != "" {
			b.WriteString(": " + talk.OneLine(o.Description))
		}
	}
	return b.String()
}

func rules(p room.PollOpened) string {
	rules := "Choose exactly one option."
	if p.Multiple {
		rules = "Choose one or more options."
	}
	if p.Anonymous {
		rules += " It is anonymous: your reason is shown, your name is not."
	}
	if !p.Deadline.IsZero() {
		rules += " It closes on " + p.Deadline.UTC().Format("2 January 2006 at 15:04") + " UTC."
	}
	return rules
}
