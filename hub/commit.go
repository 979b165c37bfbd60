package hub

import (
	"errors"
	"slices"

	"parley/fanout"
	"parley/journal"
	"parley/room"
	"parley/seam"
)

// Limits of one batch: what one append may carry.
const (
	maxBatchEntries = 128
	maxBatchText    = 256 << 10 // bytes of text after which a batch takes no further command
	maxConflicts    = 16        // appends in a row that somebody else won, before the callers are told to try again
)

func (a *actor) refuse(rs []request, err error) {
	for _, r := range rs {
		if r.answer != nil {
			r.answer <- answer{err: asRefusal(err)}
		}
	}
}

// commit decides the commands at the front of rs, appends what they lead to in one batch and answers them. It
// returns how many it saw to. An error means that nothing is known about them.
func (a *actor) commit(rs []request) (int, error) {
	var b *batch
	for range maxConflicts {
		b = a.decide(rs)
		if len(b.entries) == 0 {
			if b.doubtful() && a.behind() {
				continue
			}
			b.answer()
			return b.taken, nil
		}
		err := a.append(b)
		if err == nil {
			b.answer()
			return b.taken, nil
		}
		answered, err := a.recover(b, err)
		if err != nil {
			return 0, err
		}
		if answered {
			return b.taken, nil
		}
	}
	a.refuse(rs[:b.taken], errBusy)
	return b.taken, nil
}

// doubtful reports whether a command led to nothing because of what the state says. If entries are appended, the
// append itself shows whether the state was up to date.
func (b *batch) doubtful() bool {
	for _, got := range b.answers {
		if got.err != nil || got.result.Offset == 0 {
			return true
		}
	}
	return false
}

// behind reads what other nodes wrote, and reports whether there was anything.
func (a *actor) behind() bool {
	if a.hub.cfg.Bus == nil {
		return false
	}
	head := a.state.Head()
	a.catchUp()
	return a.state.Head() > head
}

// A batch is what one append carries, and what to tell whom when it is durable.
type batch struct {
	entries []room.Entry
	answers []answer
	keys    []landing // of the commands taken, as the log has them
	rs      []request
	taken   int
	text    int  // bytes
	card    bool // what the room's card shows may have changed
	joined  []room.PersonID
	left    []room.PersonID
}

func (b *batch) answer() {
	for i, got := range b.answers {
		if ch := b.rs[i].answer; ch != nil {
			ch <- got
		}
	}
}

// decide decides commands until the batch is full or something else than a command waits, applying as it goes.
func (a *actor) decide(rs []request) *batch {
	b := &batch{rs: rs, answers: make([]answer, 0, min(len(rs), maxBatchEntries))}
	now := a.hub.cfg.Clock.Now().UTC()
	for _, r := range rs {
		if r.command == nil || len(b.entries) >= maxBatchEntries || b.text >= maxBatchText {
			break
		}
		r.meta.At = now
		b.answers = append(b.answers, a.decideOne(b, r))
		b.taken++
	}
	return b
}

func (a *actor) decideOne(b *batch, r request) answer {
	author := a.state.Author(r.meta, r.command)
	b.keys = append(b.keys, landing{author.By, author.Cause})
	if at, ok := a.state.Landed(author.By, author.Cause); ok && !seam.Planted("hub.no.dedup") {
		return answer{result: Result{Offset: at}}
	}
	r.meta.Said = a.feed.words()
	events, err := a.state.Decide(r.meta, r.command)
	if err != nil || len(events) == 0 {
		return answer{err: err}
	}
	first := a.state.Head() + 1
	for _, event := range events {
		b.entries = append(b.entries, room.Entry{
			Room: a.id, Offset: a.state.Head() + 1, At: author.At, By: author.By, Cause: author.Cause, Event: event,
		})
		a.state.Apply(&b.entries[len(b.entries)-1])
		b.note(event)
	}
	a.feed.freeze(events)
	return answer{result: Result{Offset: first, Entries: len(events)}}
}

// note remembers whose membership the event changes, and how much text it carries.
func (b *batch) note(event room.Event) {
	if _, message := event.(room.MessagePosted); !message {
		b.card = true
	}
	switch v := event.(type) {
	case room.MessagePosted:
		b.text += len(v.Text)
	case room.ReplyCompleted:
		b.text += len(v.Text)
	case room.ReplyInterrupted:
		b.text += len(v.Text)
	case room.ReplyFailed:
		b.text += len(v.Text)
	case room.ReplyDeclined:
		b.text += len(v.Reason)
	case room.ReplyWithheld:
		b.text += len(v.Text)
	case room.VoteCast:
		b.text += len(v.Reason)
	case room.BallotMissed:
		b.text += len(v.Reason)
	case room.AutopilotStarted:
		b.text += len(v.Goal)
	case room.AutopilotGuided:
		b.text += len(v.Text)
	case room.AutopilotEnded:
		b.text += len(v.Goal) + len(v.Summary) + len(v.Reason)
	case room.SummaryWritten:
		b.text += len(v.Text)
	case room.PollOpened, room.PollClosed:
		b.text += maxBatchText / 4 // options, reasons
	case room.RoomDescribed, room.ModelAdded, room.ModelUpdated:
		b.text += maxBatchText / 8 // personas
	case room.PersonJoined:
		b.joined = append(b.joined, v.Person.ID)
	case room.PersonLeft:
		b.left = append(b.left, v.Person.ID)
	}
}

// append makes the batch durable and shows it to the followers.
func (a *actor) append(b *batch) error {
	first := b.entries[0].Offset
	batch := journal.Batch{
		Room: a.id, After: first - 1, Prev: a.hash, Entries: b.entries, Joined: b.joined, Left: b.left,
	}
	if b.card {
		if card := a.state.Card(); !card.Equal(a.card) {
			batch.Card = &card
		}
	}
	fresh := newItems(b.entries)
	if seam.Planted("hub.publish.early") {
		a.show(newItems(slices.Clone(b.entries)))
	}
	seam.Hit("hub.append.before")
	if err := a.hub.cfg.Store.Append(a.hub.whole, batch); err != nil {
		return err
	}
	seam.Hit("hub.append.after")
	if batch.Card != nil {
		a.card = *batch.Card
	}
	a.hash = b.entries[len(b.entries)-1].Hash
	a.show(fresh)
	a.welcome(b.joined)
	if bus := a.hub.cfg.Bus; bus != nil {
		bus.Publish(fanout.Packet{Room: a.id, Head: a.state.Head()})
	}
	return nil
}

func newItems(entries []room.Entry) []*Item {
	items := make([]Item, len(entries))
	list := make([]*Item, len(entries))
	for i := range entries {
		items[i].Entry = &entries[i]
		list[i] = &items[i]
	}
	return list
}

// recover finds out what became of a batch whose append failed. The state is folded anew, since it holds entries
// that may not exist. Nothing was written after a conflict: the batch is to be decided again. Otherwise the causes
// tell what landed, and everybody is answered.
func (a *actor) recover(b *batch, failure error) (answered bool, err error) {
	seam.Hit("hub.recover")
	before := b.entries[0].Offset - 1
	if err := a.refold(); err != nil {
		return false, err
	}
	a.feed.thaw()
	if errors.Is(failure, journal.ErrConflict) {
		return false, nil
	}
	a.hub.cfg.Log.Error("append", "room", a.id, "offset", before+1, "err", failure)
	landedAt, err := a.landedSince(before)
	if err != nil {
		return false, err
	}
	for i, r := range b.rs[:b.taken] {
		if r.answer != nil {
			r.answer <- b.answers[i].given(landedAt[b.keys[i]], before, failure)
		}
	}
	return true, nil
}

// given turns the answer that was to follow an append into the one to give after its failure: at is where the command
// landed all the same, 0 if it did not. What was decided after entries that do not exist, refusals included, is void.
func (got answer) given(at, before room.Offset, failure error) answer {
	switch {
	case at != 0:
		return answer{result: Result{Offset: at, Entries: got.result.Entries}}
	case got.err == nil && got.result.Offset != 0 && got.result.Offset <= before:
		return got
	}
	return answer{err: asRefusal(failure)}
}

// A landing names a command in the log.
type landing struct {
	by    room.Identity
	cause string
}

// landedSince maps the commands that led to entries after an offset to the first entry of each.
func (a *actor) landedSince(after room.Offset) (map[landing]room.Offset, error) {
	landed := make(map[landing]room.Offset)
	for e, err := range a.hub.cfg.Store.Read(a.hub.ctx, a.id, after) {
		if err != nil {
			return nil, err
		}
		key := landing{e.By, e.Cause}
		if _, known := landed[key]; !known {
			landed[key] = e.Offset
		}
	}
	return landed, nil
}
