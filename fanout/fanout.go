// Package fanout is the contract with what carries hints and signals between the nodes that serve a room.
//
// It may lose, repeat and reorder: an entry is only ever learned from the log, a Packet with a Head merely says that
// it is worth looking there. fanouttest is the suite every driver passes.
package fanout

import (
	"context"
	"errors"

	"parley/room"
)

// A Packet is what one node tells the others about a room. Exactly one of Head and Signal is set.
type Packet struct {
	Room   room.ID
	Head   room.Offset // the log has grown to here
	Signal room.Signal
}

// A Bus is one node's line to the others. All methods may be called from any goroutine, Receive from one at a time.
type Bus interface {
	// Publish tells every other node that subscribed to the packet's room. It does not wait for them, and drops the
	// packet when it cannot be carried now.
	Publish(p Packet)
	// Subscribe asks for the packets of a room, until Unsubscribe. Asking twice is asking once.
	Subscribe(id room.ID)
	Unsubscribe(id room.ID)
	// Receive waits for the next packet from another node. After Close it returns ErrClosed.
	Receive(ctx context.Context) (Packet, error)
	Close() error
}

// ErrClosed says that the bus was closed.
var ErrClosed = errors.New("the bus is closed")
