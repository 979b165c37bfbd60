package room

import (
	"slices"
	"time"
)

// A View is a room as one viewer sees it at one offset: what a snapshot shows and what a model is told.
type View struct {
	Room     ID
	Epoch    string
	Offset   Offset // the log goes on after it
	Info     Info
	People   []Person  // everybody who ever joined, in the order they first came
	Messages []Message // the newest, oldest first
	Replies  []Reply   // those under way, oldest first

	Polls     []Poll     // the open ones and the newest of the closed, oldest first
	Autopilot *Autopilot // the one that runs, or the last; nil if there was none
	Policy    Policy
	Accounts  Accounts
	Summary   *Summary // of what is older than the messages that matter now; nil if there is none
}

// A Reply is a reply under way.
type Reply struct {
	Ref       ReplyRef
	Depth     int
	Path      []ModelID
	Asked     time.Time
	Allowance Allowance
	Turn      *Turn
	Text      string // the words so far; the State does not know them, the hub fills them in
}

// View shows the room to viewer, with the newest n messages (at most Rules.Window) that it may see.
func (s *State) View(viewer Identity, n int) View {
	v := View{Room: s.id, Epoch: s.epoch, Offset: s.head, Info: s.info}
	v.People = make([]Person, len(s.order))
	for i, id := range s.order {
		v.People[i] = *s.people[id]
	}
	v.Messages = s.newest(viewer, min(n, s.rules.Window))
	for _, r := range s.running() {
		if visible(r.to, viewer) {
			v.Replies = append(v.Replies, Reply{
				Ref: r.ref, Depth: r.depth, Path: r.path, Asked: r.asked, Allowance: r.allowance, Turn: r.turn,
			})
		}
	}
	v.Polls = s.viewPolls(viewer)
	v.Autopilot = s.viewAutopilot(viewer)
	v.Policy = s.policy
	v.Accounts = s.viewAccounts()
	v.Summary = s.summary.view()
	return v
}

// A Card is what a list of rooms shows, and since when the room has work to do, whether or not anybody looks at it.
type Card struct {
	Room ID        `json:"room"`
	Info Info      `json:"info"`
	Wake time.Time `json:"wake,omitzero"` // a server that starts opens the rooms whose time has come; zero means never
}

// Card summarises the room.
func (s *State) Card() Card {
	c := Card{Room: s.id, Info: s.info}
	if open := s.running(); len(open) > 0 {
		c.Wake = open[0].asked
	}
	c.Wake = sooner(c.Wake, s.polls.wake())
	c.Wake = sooner(c.Wake, s.summary.wake())
	c.Wake = sooner(c.Wake, s.debtsDue())
	return c
}

// Equal reports whether two cards say the same.
func (c Card) Equal(o Card) bool {
	return c.Room == o.Room && c.Wake.Equal(o.Wake) && c.Info.Equal(o.Info)
}

// Equal reports whether two rooms look the same.
func (i Info) Equal(o Info) bool {
	return i.Name == o.Name && i.Description == o.Description && i.Visibility == o.Visibility &&
		i.CreatedAt.Equal(o.CreatedAt) && i.CreatedBy == o.CreatedBy && slices.Equal(i.Models, o.Models)
}
