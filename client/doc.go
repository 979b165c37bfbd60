// Package client is the way into a Parley server for Go programs: bots, tools, load generators, the terminal client.
//
// A Client makes rooms, lists them and pages through their history. Join takes a seat in a room and returns a Session,
// which tells everything that happens there and acts in the room:
//
//	c, err := client.Dial("127.0.0.1:50052", client.Options{})
//	s, err := c.Join(ctx, client.JoinOptions{Room: id, User: "ada"})
//	defer s.Close()
//	go s.Send(ctx, client.Draft{Text: "@demo hello"})
//	for ev, err := range s.Events(ctx) {
//		if m, ok := ev.(client.MessageReceived); ok { fmt.Println(m.Message.SenderName, m.Message.Text) }
//	}
//
// # What a Session promises
//
// Each event of the room's log is delivered exactly once and in the log's order, however often the connection breaks:
// the Session reconnects by itself and goes on where it was cut, even in the middle of an entry. Where the server
// cannot go on (its log was replaced, or the range is gone) a Snapshot with Reset says so, and the log goes on from
// there. Signals (typing, presence, the words of a reply as they come) are delivered at most once.
//
// Each command that changes the log takes effect at most once, however often it had to be sent, and commands that one
// goroutine gives one after the other keep their order. A command returns when the server has stored or refused it.
//
// # What it does not promise
//
// A command whose context ends is withdrawn, but may have taken effect already: its event tells. Typing and Interrupt
// are not repeated after a break.
//
// # Concurrency
//
// A Client and the commands of a Session may be used from any goroutine. Next and Events have one reader at a time.
// Commands are acknowledged by events, so somebody has to read them: a Session buffers some, then it stops taking
// from the server until its reader goes on.
package client
