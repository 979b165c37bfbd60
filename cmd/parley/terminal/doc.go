// Package terminal is a seat in a room for a person at a terminal: Screen over the whole of it, Plain line by line.
//
// What happens in the room is folded into a story (story.go), which knows nothing of screens. A frame is a pure
// function of the story, the input and the size (frame.go, paint.go, scroll.go), so that a test can look at it.
//
// Whatever people and models write is cleaned before it is shown (clean.go): no byte of theirs reaches the terminal as
// a control character or an escape sequence.
//
// A seat belongs to one goroutine; bubbletea's in Screen, the caller's in Plain.
package terminal
