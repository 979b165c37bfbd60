package reply

import (
	"strings"

	"parley/room"
)

// modelMark follows the name of a model wherever it speaks.
const modelMark = " (model)"

// labels are the names under which a model hears the others. A label means one speaker only: a person whose name
// another one has too, or whose name ends like a mark of the server, is told apart by the user id.
type labels struct {
	self  room.Identity
	names map[room.Identity]string
}

func newLabels(t *task) *labels {
	l := &labels{self: room.ModelIdentity(t.Model), names: make(map[room.Identity]string)}
	taken := make(map[string]int)
	for _, p := range t.view.People {
		taken[strings.ToLower(inBrackets(p.Name))]++
	}
	for _, m := range t.view.Info.Models {
		taken[strings.ToLower(inBrackets(m.Name))]++
		l.names[room.ModelIdentity(m.ID)] = inBrackets(m.Name) + modelMark
	}
	for _, p := range t.view.People {
		name := inBrackets(p.Name)
		if taken[strings.ToLower(name)] > 1 || strings.HasSuffix(name, ")") {
			name += " (user " + string(p.ID) + ")"
		}
		l.names[room.PersonIdentity(p.ID)] = name
	}
	return l
}

// of names the writer of a message, as it is called now.
func (l *labels) of(m room.Message) string {
	if name, ok := l.names[m.By]; ok {
		return name
	}
	if _, ok := m.By.Model(); ok {
		return inBrackets(m.Name) + modelMark
	}
	return inBrackets(m.Name)
}

// inBrackets makes a name fit between square brackets.
func inBrackets(name string) string {
	return strings.TrimSpace(strings.NewReplacer("[", "(", "]", ")").Replace(name))
}
