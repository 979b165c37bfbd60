package room

import (
	"fmt"
	"slices"
	"strings"
)

// ask requests a reply of each model, within the budget: like says what the requests have in common. Without a budget a
// fact says so instead. Before are the events that the same command has led to already.
func (s *State) ask(m Meta, models []ModelID, like ReplyRequested, before ...Event) []Event {
	if len(models) == 0 {
		return nil
	}
	allowance, err := s.allow(m, len(models), Allowance{}, before...)
	if err != nil {
		return s.withhold(like.Reply.Trigger, models, NoBudget, err.Error())
	}
	like.Allowance = allowance
	return s.request(m, models, like)
}

// request asks each model for a reply; like says what the requests have in common.
func (s *State) request(m Meta, models []ModelID, like ReplyRequested) []Event {
	like.Until = m.At.Add(s.rules.ReplyTime)
	var events []Event
	for _, id := range models {
		like.Reply.Model, like.Reply.Name = id, s.nameOf(id)
		events = append(events, like)
	}
	return events
}

// chain asks the models that a reply names, and tells which of them it does not ask, and why.
func (s *State) chain(m Meta, r *running, done ReplyCompleted) []Event {
	named := done.Mentions
	trigger, path := r.ref.ID, append(slices.Clip(r.path), r.ref.Model)
	switch {
	case len(named) == 0:
		return nil
	case r.depth >= s.rules.MaxDepth:
		return s.withhold(trigger, named, TooDeep, s.tooDeep())
	case s.saidBefore(r.ref.Model, done.Text):
		return s.withhold(trigger, named, Repeated, r.ref.Name+" said the same as before")
	}
	circling, asked := divide(named, func(id ModelID) bool { return circles(path, id) })
	most := min(len(asked), s.spare()+1) // this reply makes room for one
	asked, crowded := asked[:most], asked[most:]

	like := ReplyRequested{Reply: ReplyRef{Trigger: trigger}, Depth: r.depth + 1, Path: path, For: r.asker}
	events := s.ask(m, asked, like, done)
	events = append(events, s.withhold(trigger, circling, Repeated, r.ref.Name+" and they have asked one another twice in a row")...)
	return append(events, s.withhold(trigger, crowded, TooMany, fmt.Sprintf("at most %d replies may be under way", s.rules.MaxReplies))...)
}

// withhold tells that models are not asked. Why is a clause for people.
func (s *State) withhold(trigger Offset, models []ModelID, why Withholding, because string) []Event {
	if len(models) == 0 {
		return nil
	}
	var names []string
	for _, id := range models {
		names = append(names, s.nameOf(id))
	}
	text := fmt.Sprintf("not asked: %s (%s)", strings.Join(names, ", "), because)
	return []Event{ReplyWithheld{Trigger: trigger, Models: models, Why: why, Text: text}}
}

func (s *State) tooDeep() string {
	if s.rules.MaxDepth <= 0 {
		return "here models do not ask one another"
	}
	return fmt.Sprintf("models asked one another %d times in a row, which is the most", s.rules.MaxDepth)
}

// saidBefore reports whether a model's previous message had the same text, and no person wrote anything since.
func (s *State) saidBefore(id ModelID, text string) bool {
	for _, old := range slices.Backward(s.messages) {
		if _, person := old.By.Person(); person {
			return false
		}
		if old.By == ModelIdentity(id) && old.End != "" {
			return sameText(old.Text, text)
		}
	}
	return false
}

// circles reports whether asking next would begin an exchange for the third time in a row: after a, b, a, b comes a.
func circles(path []ModelID, next ModelID) bool {
	n := len(path)
	return n >= 4 && path[n-1] == path[n-3] && path[n-2] == path[n-4] && path[n-2] == next
}

// sameText compares what was said without regard to case and white space.
func sameText(a, b string) bool { return strings.EqualFold(squeeze(a), squeeze(b)) }

func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }

// divide parts a list in two, each in the order of the list: those of the kind, and the others.
func divide(ids []ModelID, kind func(ModelID) bool) (of, others []ModelID) {
	for _, id := range ids {
		if kind(id) {
			of = append(of, id)
		} else {
			others = append(others, id)
		}
	}
	return of, others
}

// nameOf is a model's name, or the id of one that the room does not have.
func (s *State) nameOf(id ModelID) string {
	if model := findModel(s.info.Models, id); model != nil {
		return model.Name
	}
	return string(id)
}
