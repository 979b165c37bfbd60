package talk

import (
	"fmt"
	"slices"
	"strings"

	"parley/llm"
	"parley/room"
)

// A Telling is a conversation as it is told to one model.
type Telling struct {
	Names    *Names
	Messages []room.Message // oldest first
	Window   int            // most messages to tell; 0 means all that fit. Older ones only show that there are some
	Trigger  room.Offset    // the message to answer, told at any rate; 0 for none
	Summary  *room.Summary  // told where older messages are left out; may be nil
	Closing  string         // what the server says after all; may be empty
}

const (
	maxPointer = 1000 // bytes of a message that are repeated
	maxQuote   = 100  // bytes of a message that are quoted
	maxPinned  = 250  // tokens of a message that stays only since a told one answers it
)

// Turns tells what was said, in at most left tokens: the newest messages that fit, what these answer, and at any rate
// the trigger and what that answers. Turns of others and of the model itself alternate; the last one is of others.
//
// If messages are left out that no summary covers, upto is how far one should go: up to the entry of the newest of them,
// or further, so that what comes after it leaves room for more and the next summary is not wanted at once. Otherwise it
// is 0.
func (t Telling) Turns(left int) (turns []llm.Message, upto room.Offset) {
	c := t.choose(left)
	var b builder
	t.summary(&b, c)
	next := 0
	for _, l := range c.lines {
		if l.at > next {
			b.others("[Older messages are left out here.]")
		}
		next = l.at + 1
		m := t.Messages[l.at]
		if m.By == t.Names.self {
			b.own(Plain(l.text))
			b.cut(m.End, "you were")
			continue
		}
		b.others(t.answers(l.at) + Quote(t.Names.Of(m), l.text))
		b.cut(m.End, "that message was")
	}
	t.point(&b, c)
	if t.Closing != "" {
		b.others(t.Closing)
	}
	return b.done(), t.wanted(c, left)
}

// point says which message to answer, unless it is the last one.
func (t Telling) point(b *builder, c choice) {
	switch {
	case t.Trigger == 0 || t.Closing != "":
	case c.trigger < 0:
		b.others("[The message you were asked to answer is not shown any more. Say so, or answer the newest messages.]")
	case c.trigger < len(t.Messages)-1:
		m := t.Messages[c.trigger]
		b.others("[Now answer this message from above.]\n" + Quote(t.Names.Of(m), Clip(m.Text, maxPointer)))
	}
}

func (t Telling) summary(b *builder, c choice) {
	if c.summary != "" {
		b.others("[A model summed up what was said before. It may be wrong in details.]\n" + c.summary)
	}
}

// wanted is how far a summary should go.
func (t Telling) wanted(c choice, left int) room.Offset {
	newest := c.leftOut
	if newest < 0 || t.Summary != nil && t.Messages[newest].Entry <= t.Summary.Upto {
		return 0
	}
	spare, most := left/2, len(t.Messages)
	if t.Window > 0 {
		most = t.Window / 2
	}
	upto := len(t.Messages) - 1
	for ; upto > newest && len(t.Messages)-1-upto < most; upto-- {
		if spare -= cost(t.Messages[upto].Text); spare < 0 {
			break
		}
	}
	if c.trigger > newest {
		upto = min(upto, c.trigger-1)
	}
	return t.Messages[max(upto, newest)].Entry
}

// A line is a message that is told, perhaps not all of it.
type line struct {
	at   int // in the messages
	text string
}

// A choice is what of a conversation is told.
type choice struct {
	lines   []line
	trigger int // -1 if it is not there
	leftOut int // the newest message that is not told; -1 if all are
	summary string
	index   map[room.Offset]int
}

// at finds a message; -1 means that it is not there.
func (c *choice) at(id room.Offset) int {
	if i, ok := c.index[id]; ok && id != 0 {
		return i
	}
	return -1
}

// choose picks what is told, in order: first the trigger and what it answers, then from the newest on as long as there
// are tokens left.
func (t Telling) choose(left int) choice {
	c := choice{leftOut: -1, index: make(map[room.Offset]int, len(t.Messages))}
	for i, m := range t.Messages {
		c.index[m.ID] = i
	}
	if c.trigger = c.at(t.Trigger); c.trigger >= 0 {
		left -= c.pin(t.Messages, c.trigger, left)
		if to := c.at(t.Messages[c.trigger].ReplyTo); to >= 0 {
			left -= c.pin(t.Messages, to, left/2)
		}
	}
	all := c
	if all.fill(t, left) {
		return all
	}
	if t.Summary != nil {
		c.summary = Block(shorten(t.Summary.Text, left/3))
		left -= Tokens(c.summary) + 2*TurnTokens
	}
	c.fill(t, left)
	return c
}

// pin takes a message in, as much of it as fits into most tokens, and returns what that costs.
func (c *choice) pin(said []room.Message, i, most int) int {
	text := shorten(said[i].Text, most)
	c.lines = append(c.lines, line{i, text})
	return cost(text)
}

// fill adds messages from the newest on, with what they answer, and reports whether all fit.
func (c *choice) fill(t Telling, left int) bool {
	have := make(map[int]bool)
	for _, l := range c.lines {
		have[l.at] = true
	}
	lines := slices.Clone(c.lines)
	oldest := 0
	if t.Window > 0 {
		oldest = max(0, len(t.Messages)-t.Window)
	}
	i := len(t.Messages) - 1
	for ; i >= oldest; i-- {
		if have[i] {
			continue
		}
		m := t.Messages[i]
		own := []line{{i, m.Text}}
		if to := c.at(m.ReplyTo); to >= 0 && to < i && !have[to] {
			own = append(own, line{to, shorten(t.Messages[to].Text, maxPinned)})
		}
		price := 0
		for _, l := range own {
			price += cost(l.text)
		}
		if price > left {
			break
		}
		left -= price
		for _, l := range own {
			have[l.at] = true
		}
		lines = append(lines, own...)
	}
	for i >= 0 && have[i] {
		i--
	}
	slices.SortFunc(lines, func(a, b line) int { return a.at - b.at })
	c.lines, c.leftOut = lines, i
	return i < 0
}

// cost is what a message takes of a prompt, rather too much than too little: its text, the marks that quoting puts before
// its lines and into its frames, and the turn around it.
func cost(text string) int { return quoted(text) + TurnTokens }

// quoted estimates the tokens of a text once it is quoted, without quoting it.
func quoted(text string) int {
	marks := 0 // bytes
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c == 0x85: // may break a line; 0x85 ends the sign NEL, among others
			marks += 2
		case c == '<', c == '[':
			marks++
		}
	}
	return Tokens(text) + (marks+5+3)/4
}

// shorten keeps the beginning and the end of a text that has more than most tokens.
func shorten(text string, most int) string {
	whole := text
	for have, keep := quoted(text), len(text); have > most && keep > 0; have = quoted(text) {
		keep = min(keep*max(most, 0)/have, keep-1)
		head, tail := Boundary(whole, keep/2), Boundary(whole, len(whole)-keep/2)
		text = fmt.Sprintf("%s\n(%d bytes are left out here.)\n%s", whole[:head], tail-head, whole[tail:])
	}
	return text
}

// answers says what a message answers, unless that is the one just before it.
func (t Telling) answers(i int) string {
	to := slices.IndexFunc(t.Messages[:i], func(m room.Message) bool { return m.ID == t.Messages[i].ReplyTo })
	if to < 0 || to == i-1 || t.Messages[i].ReplyTo == 0 {
		return ""
	}
	whose := t.Names.Of(t.Messages[to])
	if t.Messages[to].By == t.Names.self {
		whose = "you"
	}
	return fmt.Sprintf("[The next message answers %s: %q]\n", whose, Clip(OneLine(t.Messages[to].Text), maxQuote))
}

// OneLine writes what a member said on one line, to stand between quotation marks.
func OneLine(text string) string { return strings.Join(strings.Fields(Plain(text)), " ") }
