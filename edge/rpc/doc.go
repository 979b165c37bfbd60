// Package rpc serves rooms over gRPC: the service api.room.Room (proto/pb/api/room/room.proto), with reflection and
// health beside it. It translates; what is allowed is decided in package room, and what is delivered in package hub.
//
// A stream has two goroutines beside its handler. One receives and issues commands, one by one, so that the messages
// of a stream have their effects in the order they were sent. The other follows the room and sends. Answers that go
// to one stream only (errors, pongs) may overtake events that wait for the same stream.
package rpc
