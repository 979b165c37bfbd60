package room

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// PersonID is a user id. The same id is the same person on every wire.
type PersonID string

// Role says what a person may do in a room.
type Role string

// The roles: an admin may do everything, a member writes, a viewer only watches.
const (
	Admin  Role = "admin"
	Member Role = "member"
	Viewer Role = "viewer"
)

// A Person is somebody who joined the room at some time.
type Person struct {
	ID     PersonID `json:"id"`
	Name   string   `json:"name"`
	Role   Role     `json:"role"`
	Title  string   `json:"title,omitempty"`
	Avatar string   `json:"avatar,omitempty"`
	Left   bool     `json:"left,omitempty"` // gave up the membership
}

// PersonJoined says that somebody became a member, for the first time or again. Being online is a signal, not a fact.
type PersonJoined struct {
	Person Person `json:"person"`
}

// PersonChanged says that a member's name, title, avatar or role is another one now.
type PersonChanged struct {
	Person Person `json:"person"`
}

// PersonLeft says that somebody is no longer a member.
type PersonLeft struct {
	Person Person `json:"person"`
}

func (v PersonJoined) apply(s *State, _ *Entry) { s.applyPerson(v.Person) }

func (v PersonChanged) apply(s *State, _ *Entry) { s.applyPerson(v.Person) }

func (v PersonLeft) apply(s *State, _ *Entry) { s.applyPerson(v.Person) }

// Join makes the person who issues it a member, or changes the name, title and avatar of one; what is empty stays as
// it is. Role is a wish: who created the room is its admin, Viewer is granted, everybody else becomes a Member; a known
// person's role stays.
type Join struct {
	Name   string
	Title  string
	Avatar string
	Role   Role
}

// Leave ends the membership of the person who issues it. When the last admin leaves, the member who has been there
// longest becomes one, or the viewer if there is no member.
type Leave struct{}

// SetRole gives a member another role. Only an admin may, and the last admin stays one.
type SetRole struct {
	Person PersonID
	Role   Role
}

func (c Join) decide(s *State, m Meta) ([]Event, error) { return s.join(m, c) }

func (Leave) decide(s *State, m Meta) ([]Event, error) { return s.leave(m) }

func (c SetRole) decide(s *State, m Meta) ([]Event, error) { return s.setRole(m, c) }

func (s *State) join(m Meta, c Join) ([]Event, error) {
	id, ok := m.By.Person()
	if !ok {
		return nil, refuse(CodeForbidden, "only a person can join a room")
	}
	if !ValidID(string(id)) {
		return nil, invalid("user id %q: use 1 to 64 letters, digits, _ and -", clip(string(id)))
	}
	if err := checkPerson(c); err != nil {
		return nil, err
	}
	p := Person{ID: id, Name: strings.TrimSpace(c.Name), Title: c.Title, Avatar: c.Avatar}
	old, known := s.people[id]
	if !known {
		p.Name = firstNonEmpty(p.Name, string(id))
		p.Role = s.firstRole(id, c.Role)
		return []Event{PersonJoined{p}}, nil
	}
	p.Name, p.Title, p.Avatar = firstNonEmpty(p.Name, old.Name), firstNonEmpty(p.Title, old.Title), firstNonEmpty(p.Avatar, old.Avatar)
	p.Role = old.Role
	switch {
	case old.Left:
		return []Event{PersonJoined{s.returned(p)}}, nil
	case *old != p:
		return []Event{PersonChanged{p}}, nil
	}
	return nil, nil
}

// returned is somebody who left and comes back: who handed the room over does not take it back by that.
func (s *State) returned(p Person) Person {
	if p.Role == Admin && s.admins() > 0 {
		p.Role = Member
	}
	return p
}

func checkPerson(c Join) error {
	for _, f := range []struct{ what, text string }{{"display name", c.Name}, {"title", c.Title}} {
		if !validLine(f.text, maxNameRunes) {
			return invalid("%s: use one line of at most %d characters", f.what, maxNameRunes)
		}
	}
	if !validLine(c.Avatar, maxAvatarRunes) {
		return invalid("avatar: use one line of at most %d characters", maxAvatarRunes)
	}
	return nil
}

// firstRole: the creator is the admin; in a room that nobody in particular created, the first to come is.
func (s *State) firstRole(id PersonID, wish Role) Role {
	creator, ok := s.info.CreatedBy.Person()
	switch {
	case ok && creator == id, !ok && len(s.people) == 0:
		return Admin
	case wish == Viewer:
		return Viewer
	}
	return Member
}

func (s *State) leave(m Meta) ([]Event, error) {
	p, err := s.member(m.By)
	if err != nil {
		return nil, err
	}
	gone := *p
	gone.Left = true
	events := []Event{PersonLeft{gone}}
	if heir := s.heir(p.ID); heir != nil && p.Role == Admin && s.admins() == 1 {
		promoted := *heir
		promoted.Role = Admin
		events = append(events, PersonChanged{promoted})
	}
	return events, nil
}

// heir is who has the best claim to a room without admin.
func (s *State) heir(gone PersonID) *Person {
	var viewer *Person
	for _, id := range s.order {
		switch p := s.people[id]; {
		case p.Left || id == gone:
		case p.Role == Member:
			return p
		case viewer == nil:
			viewer = p
		}
	}
	return viewer
}

func (s *State) setRole(m Meta, c SetRole) ([]Event, error) {
	if err := s.admin(m.By); err != nil {
		return nil, err
	}
	p, ok := s.people[c.Person]
	if !ok || p.Left {
		return nil, refuse(CodeNotFound, "user %q is not a member of this room", clip(string(c.Person)))
	}
	if c.Role != Admin && c.Role != Member && c.Role != Viewer {
		return nil, invalid("role: use ADMIN, MEMBER or VIEWER")
	}
	if p.Role == c.Role {
		return nil, nil
	}
	if p.Role == Admin && s.admins() == 1 {
		return nil, refuse(CodeConflict, "%s is the only admin: make somebody else admin first", p.Name)
	}
	changed := *p
	changed.Role = c.Role
	return []Event{PersonChanged{changed}}, nil
}

func (s *State) admins() (n int) {
	for _, p := range s.people {
		if p.Role == Admin && !p.Left {
			n++
		}
	}
	return n
}

func (s *State) applyPerson(p Person) {
	if _, known := s.people[p.ID]; !known {
		s.order = append(s.order, p.ID)
	}
	s.people[p.ID] = &p
}

// member returns the member with this identity, or the refusal.
func (s *State) member(by Identity) (*Person, error) {
	id, _ := by.Person()
	p, ok := s.people[id]
	if !ok || p.Left {
		return nil, refuse(CodeForbidden, "you are not a member of this room: join it first").because(ReasonNotJoined)
	}
	return p, nil
}

// writer refuses whoever may not write: strangers, viewers, models (they act only through their jobs).
func (s *State) writer(by Identity) (*Person, error) {
	p, err := s.member(by)
	if err == nil && p.Role == Viewer {
		return nil, refuse(CodeForbidden, "viewers cannot write: ask an admin of the room for the role MEMBER")
	}
	return p, err
}

func (s *State) admin(by Identity) error {
	p, err := s.member(by)
	if err == nil && p.Role != Admin {
		return refuse(CodeForbidden, "only an admin of the room may do this")
	}
	return err
}

const (
	maxIDLength    = 64
	maxNameRunes   = 100
	maxAvatarRunes = 2000
)

// ValidID reports whether s can name a room, a person or a model: 1 to 64 characters of A-Z a-z 0-9 _ and -.
func ValidID(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return 0 < len(s) && len(s) <= maxIDLength
}

// validLine reports whether s is UTF-8 of at most n characters without control characters and without line breaks.
func validLine(s string, n int) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > n {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return false
		}
	}
	return true
}

// clip shortens what a client sent before it is quoted in an error.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

// Person returns somebody who joined at some time.
func (s *State) Person(id PersonID) (Person, bool) {
	if p, ok := s.people[id]; ok {
		return *p, true
	}
	return Person{}, false
}

// Presence is the signal that somebody's first connection opened, or the last one closed.
type Presence struct {
	Person Person
	Online bool
}

// Key implements Signal.
func (p Presence) Key() string { return "presence/" + string(p.Person.ID) }

// Typing is the signal that somebody began or stopped writing.
type Typing struct {
	Person PersonID
	Name   string
	On     bool
}

// Key implements Signal.
func (t Typing) Key() string { return "typing/" + string(t.Person) }
