package main

import (
	"fmt"
	"strconv"
)

// A target speaks one server's protocol. To add a server: write these methods and a line in newTarget. prepare is
// called once; setup from several goroutines; feed and publish from the loop alone.
type target interface {
	// prepare makes the rooms, where they have to be made.
	prepare(rooms int) error
	// setup does the handshake on a fresh blocking socket; on return the connection is in its room.
	setup(c *conn, s *bsock) error
	// feed consumes whole protocol units of b, hands message bytes to lp.scan, and returns how much it consumed.
	feed(lp *loop, c *conn, b []byte) int
	// publish appends the wire form of one message of c to its room.
	publish(c *conn, dst, payload []byte) []byte
}

// unprepared is the prepare of targets whose rooms begin with their first participant.
type unprepared struct{}

func (unprepared) prepare(int) error { return nil }

func newTarget(name string, cf *config) (target, error) {
	switch name {
	case "tcp-raw":
		return &tcpRaw{cf: cf}, nil
	case "ws-raw":
		return &wsRaw{cf: cf}, nil
	case "grpc-raw":
		return newGRPCRaw(cf), nil
	case "parley":
		return newParley(cf), nil
	case "nats":
		return &natsTarget{cf: cf}, nil
	case "nats-js":
		return &natsTarget{cf: cf, js: true}, nil
	case "sse-direct":
		return &sseDirect{cf: cf}, nil
	}
	return nil, fmt.Errorf("unknown target %q", name)
}

func roomName(i int) string { return "r" + strconv.Itoa(i) }
