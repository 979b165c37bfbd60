package room

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ModelID names a model within its room, such as "claude".
type ModelID string

// Style is how a model is asked to answer.
type Style string

// The styles. The empty one leaves it to the model.
const (
	Conversational Style = "conversational"
	Detailed       Style = "detailed"
	Bullet         Style = "bullet"
)

// A Model is a language model with a seat in the room.
type Model struct {
	ID      ModelID `json:"id"`
	Model   string  `json:"model,omitempty"` // the provider's name for it; empty means the server's default
	Persona string  `json:"persona,omitempty"`
	Name    string  `json:"name"`
	Title   string  `json:"title,omitempty"`
	Style   Style   `json:"style,omitempty"`
	Avatar  string  `json:"avatar,omitempty"`
}

// ModelAdded says that a model got a seat in the room.
type ModelAdded struct {
	Model Model `json:"model"`
}

// ModelUpdated says what a model is like from now on.
type ModelUpdated struct {
	Model Model `json:"model"`
}

// ModelRemoved says that a model has no seat any more.
type ModelRemoved struct {
	ID ModelID `json:"id"`
}

func (v ModelAdded) apply(s *State, _ *Entry) { s.applyModel(v.Model) }

func (v ModelUpdated) apply(s *State, _ *Entry) { s.applyModel(v.Model) }

func (v ModelRemoved) apply(s *State, _ *Entry) { s.applyModelRemoved(v.ID) }

// AddModel gives a model a seat. Without an ID it gets one made from its name.
type AddModel struct{ Model Model }

// UpdateModel changes what is not nil.
type UpdateModel struct {
	ID      ModelID
	Model   *string
	Persona *string
	Name    *string
	Title   *string
	Style   *Style
	Avatar  *string
}

// RemoveModel takes a model's seat away. What it was saying ends with the words said so far, and its
// ballots without a vote.
type RemoveModel struct{ ID ModelID }

func (c AddModel) decide(s *State, m Meta) ([]Event, error) { return s.addModel(m, c) }

func (c UpdateModel) decide(s *State, m Meta) ([]Event, error) { return s.updateModel(m, c) }

func (c RemoveModel) decide(s *State, m Meta) ([]Event, error) { return s.removeModel(m, c) }

const (
	maxModels       = 32
	maxPersonaBytes = 16 << 10
)

func (s *State) addModel(m Meta, c AddModel) ([]Event, error) {
	if _, err := s.writer(m.By); err != nil {
		return nil, err
	}
	model, err := newModel(c.Model, s.info.Models)
	if err != nil {
		return nil, err
	}
	return []Event{ModelAdded{model}}, nil
}

// newModel completes and checks a model that is to sit beside others.
func newModel(m Model, others []Model) (Model, error) {
	if len(others) >= maxModels {
		return m, refuse(CodeConflict, "a room has at most %d models: remove one first", maxModels)
	}
	if m.Name = strings.TrimSpace(m.Name); m.Name == "" {
		m.Name = strings.TrimSpace(firstNonEmpty(string(m.ID), m.Model))
	}
	if m.ID == "" {
		m.ID = freeID(m.Name, others)
	}
	if !ValidID(string(m.ID)) {
		return m, invalid("model id %q: use 1 to 64 letters, digits, _ and -", clip(string(m.ID)))
	}
	if findModel(others, m.ID) != nil {
		return m, refuse(CodeConflict, "the room has a model %q already: give this one another id", m.ID)
	}
	return m, checkModel(m, others)
}

func checkModel(m Model, others []Model) error {
	if m.Name == "" {
		return invalid("a model needs a display name or a model name")
	}
	for _, f := range []struct{ what, text string }{{"display name", m.Name}, {"title", m.Title}, {"model", m.Model}} {
		if !validLine(f.text, maxNameRunes) {
			return invalid("%s of a model: use one line of at most %d characters", f.what, maxNameRunes)
		}
	}
	if !utf8.ValidString(m.Persona) || len(m.Persona) > maxPersonaBytes {
		return invalid("persona: use text of at most %d bytes", maxPersonaBytes)
	}
	if !validLine(m.Avatar, maxAvatarRunes) {
		return invalid("avatar of a model: use one line of at most %d characters", maxAvatarRunes)
	}
	if m.Style != "" && m.Style != Conversational && m.Style != Detailed && m.Style != Bullet {
		return invalid("chat style of a model: use conversational, detailed or bullet")
	}
	return checkNames(m, others)
}

// checkNames refuses what would make a mention mean two things.
func checkNames(m Model, others []Model) error {
	names := m.spellings()
	for _, word := range everybody {
		if meansAny(word, names) {
			return invalid("a model cannot be called %q: that mentions every model", word)
		}
	}
	for _, o := range others {
		if o.ID == m.ID {
			continue
		}
		for _, name := range o.spellings() {
			if meansAny(name, names) {
				return refuse(CodeConflict, "the room has a model called %q already: a mention could mean either", name)
			}
		}
	}
	return nil
}

func meansAny(name string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// freeID makes an id from a name: "Claude Opus" becomes claude-opus, and claude-opus-2 if that is taken.
func freeID(name string, others []Model) ModelID {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	base := strings.Trim(b.String(), "-")
	if base == "" {
		base = "model"
	}
	base = base[:min(len(base), maxIDLength-4)]
	id := ModelID(base)
	for n := 2; checkNames(Model{ID: id, Name: string(id)}, others) != nil || findModel(others, id) != nil; n++ {
		id = ModelID(fmt.Sprintf("%s-%d", base, n))
	}
	return id
}

func (s *State) updateModel(m Meta, c UpdateModel) ([]Event, error) {
	if _, err := s.writer(m.By); err != nil {
		return nil, err
	}
	old, err := s.model(c.ID)
	if err != nil {
		return nil, err
	}
	changed := *old
	set(&changed.Model, c.Model)
	set(&changed.Persona, c.Persona)
	set(&changed.Name, c.Name)
	changed.Name = strings.TrimSpace(changed.Name)
	set(&changed.Title, c.Title)
	set(&changed.Style, c.Style)
	set(&changed.Avatar, c.Avatar)
	if changed == *old {
		return nil, nil
	}
	if err := checkModel(changed, s.info.Models); err != nil {
		return nil, err
	}
	return []Event{ModelUpdated{changed}}, nil
}

func (s *State) removeModel(m Meta, c RemoveModel) ([]Event, error) {
	if _, err := s.writer(m.By); err != nil {
		return nil, err
	}
	if _, err := s.model(c.ID); err != nil {
		return nil, err
	}
	events := append(s.interruptAll(m, c.ID), s.missAll(m, c.ID)...)
	return append(events, ModelRemoved(c)), nil
}

// applyModel puts the model in its place. The slice is copied: a View may hold the old one.
func (s *State) applyModel(m Model) {
	models := make([]Model, 0, len(s.info.Models)+1)
	models = append(models, s.info.Models...)
	if old := findModel(models, m.ID); old != nil {
		*old = m
	} else {
		models = append(models, m)
	}
	s.info.Models = models
}

func (s *State) applyModelRemoved(id ModelID) {
	var models []Model // nil when it is empty, as it is when it is read from the log
	for _, m := range s.info.Models {
		if m.ID != id {
			models = append(models, m)
		}
	}
	s.info.Models = models
}

func (s *State) model(id ModelID) (*Model, error) {
	if m := findModel(s.info.Models, id); m != nil {
		return m, nil
	}
	return nil, refuse(CodeNotFound, "the room has no model %q", clip(string(id)))
}

func findModel(models []Model, id ModelID) *Model {
	for i := range models {
		if models[i].ID == id {
			return &models[i]
		}
	}
	return nil
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

func firstNonEmpty(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
