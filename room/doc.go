// Package room is the domain: what a room of people and language models is, and what may happen in it.
//
// It is pure. Decide turns a command into events or refuses it; Apply folds an entry into the State; neither knows a
// clock, randomness, I/O or another goroutine, so the same log gives the same State for ever. Time and identity
// arrive in Meta. Nothing outside the standard library is imported.
//
// Every theme has a file of its own, or a few, with its events, its commands, their rules and their fold, in this order:
// info, people, model, message, mention, reply and chain (who is asked, and who not any more), poll (poll_vote,
// poll_ballot, poll_result, poll_state), autopilot (steer, schedule, turns, drive), account and budget, summary.
// state.go holds what they share.
//
// A State belongs to one goroutine. Views, Entries, Events and Commands are plain values and must not be changed
// once handed over.
package room
