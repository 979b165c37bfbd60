package hub

import (
	"context"
	"slices"

	"parley/room"
)

// History returns up to n messages that viewer may see, the newest whose entries come before an offset (0: the newest
// of all), oldest first. more is the offset to ask for next, 0 if there are no older ones.
func (h *Hub) History(ctx context.Context, id room.ID, viewer room.Identity, before room.Offset, n int) (messages []room.Message, more room.Offset, err error) {
	a, err := h.acquire(id)
	if err != nil {
		return nil, 0, err
	}
	defer h.release(a)
	var head room.Offset
	if err := a.call(ctx, func() { head = a.state.Head() }); err != nil {
		return nil, 0, err
	}
	if head == 0 {
		return nil, 0, notFound(id)
	}
	if before == 0 || before > head {
		before = head + 1
	}
	for span := room.Offset(2 * n); len(messages) <= n && before > 1; span *= 2 {
		from := before - min(span, before)
		page, err := a.messages(ctx, viewer, from, before)
		if err != nil {
			h.cfg.Log.Error("read history", "room", id, "err", err)
			return nil, 0, asRefusal(err)
		}
		messages = append(page, messages...)
		before = from + 1
	}
	if extra := len(messages) - n; extra > 0 {
		messages = slices.Clone(messages[extra:])
		return messages, messages[0].Entry, nil
	}
	return messages, 0, nil
}

// messages reads those whose entries lie between two offsets, neither included.
func (a *actor) messages(ctx context.Context, viewer room.Identity, after, before room.Offset) ([]room.Message, error) {
	var list []room.Message
	for e, err := range a.hub.cfg.Store.Read(ctx, a.id, after) {
		if err != nil {
			return nil, err
		}
		if e.Offset >= before {
			break
		}
		if m, ok := room.MessageOf(&e); ok && e.VisibleTo(viewer) {
			list = append(list, m)
		}
	}
	return list, nil
}
