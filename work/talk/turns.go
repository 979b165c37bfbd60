package talk

import (
	"strings"

	"parley/llm"
	"parley/room"
)

// A builder puts a conversation together as every provider takes it: others begin, and nobody has two turns in a row.
type builder struct {
	list []llm.Message
	now  llm.Role
	text strings.Builder // of the turn under way
}

func (b *builder) others(text string) { b.add(llm.User, text) }

func (b *builder) own(text string) {
	if b.now == 0 {
		b.others("[The conversation begins here.]")
	}
	b.add(llm.Assistant, text)
}

// cut notes that the message just added was not finished. The note is never part of the model's own turn, where it
// would teach the model to write such notes.
func (b *builder) cut(end room.End, who string) {
	switch end {
	case room.Interrupted:
		b.others("[Here " + who + " interrupted.]")
	case room.Failed:
		b.others("[Here " + who + " cut off by a failure.]")
	case room.Complete:
	}
}

func (b *builder) add(role llm.Role, text string) {
	if role != b.now {
		b.flush()
		b.now = role
	}
	if b.text.Len() > 0 {
		b.text.WriteString("\n\n")
	}
	b.text.WriteString(text)
}

func (b *builder) flush() {
	if b.now != 0 {
		b.list = append(b.list, llm.Message{Role: b.now, Text: b.text.String()})
		b.text.Reset()
	}
}

func (b *builder) done() []llm.Message {
	b.flush()
	return b.list
}
