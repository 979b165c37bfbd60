package hub

import "parley/room"

// A ring keeps the newest entries, without a gap between them. It grows up to most.
type ring struct {
	items []*Item // a circle, the oldest at start
	start int
	most  int
}

// add appends the next entry. After a gap the ring begins anew.
func (r *ring) add(it *Item) {
	if n := len(r.items); n > 0 && r.at(n-1).Entry.Offset+1 != it.Entry.Offset {
		r.items, r.start = nil, 0
	}
	if len(r.items) < r.most {
		r.items = append(r.items, it)
		return
	}
	r.items[r.start] = it
	r.start = (r.start + 1) % len(r.items)
}

// at returns the ith oldest item.
func (r *ring) at(i int) *Item { return r.items[(r.start+i)%len(r.items)] }

// covers reports whether every entry after the offset is in the ring, given that the log ends at head.
func (r *ring) covers(after, head room.Offset) bool {
	if after >= head {
		return true
	}
	return len(r.items) > 0 && r.at(0).Entry.Offset <= after+1
}

// appendAfter appends at most n of the entries that follow the offset.
func (r *ring) appendAfter(dst []*Item, after room.Offset, n int) []*Item {
	if len(r.items) == 0 {
		return dst
	}
	skip := 0
	if first := r.at(0).Entry.Offset; after >= first {
		skip = int(after-first) + 1
	}
	for i := skip; i < len(r.items) && i < skip+n; i++ {
		dst = append(dst, r.at(i))
	}
	return dst
}
