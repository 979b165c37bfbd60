// Package rpc serves rooms over gRPC: the service api.room.Room (proto/pb/api/room/room.proto), with reflection and
// health beside it. It translates; what is allowed is decided in package room, and what is delivered in package hub.
//
// A stream has one goroutine beside its handler: it receives and issues commands, one by one, so that the messages of a
// stream have their effects in the order they were sent. What happens in the room is sent by goroutines that all
// streams share (hub.Serve). Answers that go to one stream only (errors, pongs) may overtake events that wait for the
// same stream.
package rpc
