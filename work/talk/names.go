package talk

import (
	"slices"
	"strings"
	"unicode"

	"parley/room"
)

// ModelMark follows the name of a model wherever it speaks.
const ModelMark = " (model)"

// Names are the labels under which a model hears the others. A label means one speaker only: a person whose name
// another one has too, or whose name sounds like the server's or ends like a mark of it, is told apart by the user id.
type Names struct {
	self   room.Identity
	labels map[room.Identity]string
}

// NewNames labels everybody in the room, for the model self.
func NewNames(v room.View, self room.ModelID) *Names {
	n := &Names{self: room.ModelIdentity(self), labels: make(map[room.Identity]string)}
	taken := make(map[string]int)
	for _, p := range v.People {
		taken[strings.ToLower(InBrackets(p.Name))]++
	}
	for _, m := range v.Info.Models {
		taken[strings.ToLower(InBrackets(m.Name))]++
		n.labels[room.ModelIdentity(m.ID)] = InBrackets(m.Name) + ModelMark
	}
	for _, p := range v.People {
		name := InBrackets(p.Name)
		if lower := strings.ToLower(name); taken[lower] > 1 || strings.HasSuffix(name, ")") || slices.Contains(offices[:], lower) {
			name = strings.TrimSpace(name + " (user " + string(p.ID) + ")")
		}
		n.labels[room.PersonIdentity(p.ID)] = name
	}
	return n
}

// offices are names that models take for somebody with a say over them, or for themselves.
var offices = [...]string{
	"", "system", "server", "developer", "assistant", "user", "human", "tool", "function", "moderator", "admin",
	"administrator", "operator", "autopilot", "parley", "you",
}

// Of names the writer of a message, as it is called now.
func (n *Names) Of(m room.Message) string {
	if name, ok := n.labels[m.By]; ok {
		return name
	}
	name := InBrackets(m.Name)
	if _, ok := m.By.Model(); ok {
		name += ModelMark
	}
	if name == "" {
		return "the room"
	}
	return name
}

// InBrackets makes a name fit between square brackets: one line, without brackets that it could close or open.
func InBrackets(name string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Ps, r):
			return '('
		case unicode.Is(unicode.Pe, r):
			return ')'
		case breaks(r):
			return ' '
		}
		return r
	}, Plain(name)))
}
