package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"parley/hub"
	"parley/room"
)

// openRoom writes a room, opens the store anew, and measures how long a hub takes to open the room and show its newest
// 50 messages. The entries are appended one by one, as people write them.
func openRoom(cf *config) error {
	if err := fill(cf); err != nil {
		return err
	}
	runtime.GC()
	store, err := openStore(cf, newCountingFS())
	if err != nil {
		return err
	}
	h, err := hub.New(hub.Config{Store: store})
	if err != nil {
		return err
	}
	cpu, busy, start := ownCPU(), machineBusy(), time.Now()
	v, err := h.View(background, roomID(0), room.System, 50)
	wall := time.Since(start)
	own := ownCPU() - cpu
	if err != nil {
		return err
	}
	if v.Offset != room.Offset(cf.entries) {
		return fmt.Errorf("the room has %d entries, not %d", v.Offset, cf.entries)
	}
	return errors.Join(h.Close(), store.Close(), emit(cf, map[string]any{
		"entries": cf.entries, "open_ms": thousandths(wall.Seconds() * 1e3), "cpu_ms": thousandths(own * 1e3),
		"foreign_cores": thousandths((machineBusy() - busy - own) / wall.Seconds()),
	}))
}

func fill(cf *config) error {
	store, err := openStore(cf, newCountingFS())
	if err != nil {
		return err
	}
	h, err := hub.New(hub.Config{Store: store})
	if err != nil {
		return err
	}
	if err := makeRooms(h, 1); err != nil {
		return err
	}
	say := room.PostMessage{Text: strings.Repeat("x", cf.size)}
	for range cf.entries - 2 { // the room's creation and the writer's joining are entries, too
		if _, err := h.Do(background, roomID(0), room.Meta{By: room.PersonIdentity(writer)}, say); err != nil {
			return err
		}
	}
	return errors.Join(h.Close(), store.Close())
}
