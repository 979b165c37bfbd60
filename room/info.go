package room

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Visibility says who finds a room in lists. Whoever has its id may join it.
type Visibility string

// The visibilities.
const (
	Public  Visibility = "public"
	Private Visibility = "private"
)

// Info is what a room is, apart from what is said in it.
type Info struct {
	Name        string     `json:"name"`
	Description string     `json:"description,omitempty"`
	Visibility  Visibility `json:"visibility"`
	CreatedAt   time.Time  `json:"created_at"`
	CreatedBy   Identity   `json:"created_by,omitempty"`
	Models      []Model    `json:"models,omitempty"`
}

// RoomCreated begins a log.
type RoomCreated struct {
	Epoch string `json:"epoch"` // random: tells this log from another one under the same id
	Info  Info   `json:"info"`
}

// RoomDescribed says what the room is from now on: its description or visibility changed.
type RoomDescribed struct {
	Info Info `json:"info"`
}

func (v RoomCreated) apply(s *State, _ *Entry) { s.epoch, s.info = v.Epoch, v.Info }

func (v RoomDescribed) apply(s *State, _ *Entry) {
	models := s.info.Models
	s.info = v.Info
	s.info.Models = models
}

// Create begins a room.
type Create struct {
	Epoch       string
	Name        string
	Description string
	Visibility  Visibility
	Models      []Model
	Policy      Policy
}

// Describe changes what is not nil. Members may change the description, admins the visibility.
type Describe struct {
	Description *string
	Visibility  *Visibility
}

func (c Create) decide(s *State, m Meta) ([]Event, error) { return s.create(m, c) }

func (c Describe) decide(s *State, m Meta) ([]Event, error) { return s.describe(m, c) }

const maxDescriptionBytes = 8 << 10

func (s *State) create(m Meta, c Create) ([]Event, error) {
	if s.head > 0 {
		return nil, refuse(CodeConflict, "there is a room %q already", s.id)
	}
	if !ValidID(string(s.id)) {
		return nil, invalid("room id %q: use 1 to 64 letters, digits, _ and -", clip(string(s.id)))
	}
	if id, ok := m.By.Person(); ok && !ValidID(string(id)) {
		return nil, invalid("user id %q: use 1 to 64 letters, digits, _ and -", clip(string(id)))
	}
	name := strings.TrimSpace(c.Name)
	if name == "" || !validLine(name, maxNameRunes) {
		return nil, invalid("name of the room: use one line of 1 to %d characters", maxNameRunes)
	}
	info := Info{Name: name, Description: c.Description, Visibility: c.Visibility, CreatedAt: m.At, CreatedBy: m.By}
	if info.Visibility == "" {
		info.Visibility = Public
	}
	if err := checkInfo(info); err != nil {
		return nil, err
	}
	if err := checkPolicy(c.Policy); err != nil {
		return nil, err
	}
	events := []Event{RoomCreated{Epoch: c.Epoch, Info: info}}
	if c.Policy != (Policy{}) {
		events = append(events, PolicyChanged{Policy: c.Policy})
	}
	var models []Model
	for _, wanted := range c.Models {
		model, err := newModel(wanted, models)
		if err != nil {
			return nil, err
		}
		models = append(models, model)
		events = append(events, ModelAdded{model})
	}
	return events, nil
}

func checkInfo(i Info) error {
	if !utf8.ValidString(i.Description) || len(i.Description) > maxDescriptionBytes {
		return invalid("description: use text of at most %d bytes", maxDescriptionBytes)
	}
	if i.Visibility != Public && i.Visibility != Private {
		return invalid("visibility: use public or private")
	}
	return nil
}

func (s *State) describe(m Meta, c Describe) ([]Event, error) {
	if _, err := s.writer(m.By); err != nil {
		return nil, err
	}
	info := s.info
	set(&info.Description, c.Description)
	if c.Visibility != nil && *c.Visibility != info.Visibility {
		if err := s.admin(m.By); err != nil {
			return nil, err
		}
		info.Visibility = *c.Visibility
	}
	if err := checkInfo(info); err != nil {
		return nil, err
	}
	if info.Description == s.info.Description && info.Visibility == s.info.Visibility {
		return nil, nil
	}
	return []Event{RoomDescribed{info}}, nil
}
