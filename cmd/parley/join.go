package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"parley/client"
	"parley/cmd/parley/terminal"

	"github.com/charmbracelet/x/term"
)

// JoinCmd is the terminal client.
type JoinCmd struct {
	Server `embed:""`
	Room   string `arg:"" help:"The room's id: see parley room list."`
	As     string `help:"Your user id: the same id is the same person everywhere." required:"" placeholder:"USER"`
	Name   string `help:"The name to show; your user id if you give none."`
	Viewer bool   `help:"Only watch."`
	Plain  bool   `help:"Lines instead of a full screen: messages are read from stdin, what happens is printed."`
}

// answerTime is how long a server has to say that the room exists.
const answerTime = 10 * time.Second

// Run joins the room. The server is asked for it first, so that a wrong address or room is told in a line of text.
func (c *JoinCmd) Run() error {
	ctx, stop := interruptible()
	defer stop()
	cl, err := c.dial()
	if err != nil {
		return err
	}
	defer func() { _ = cl.Close() }()
	if err := c.look(ctx, cl); err != nil {
		return err
	}
	o := client.JoinOptions{Room: c.Room, User: c.As, Name: c.Name}
	if c.Viewer {
		o.Role = client.Viewer
	}
	if c.Plain || !term.IsTerminal(os.Stdin.Fd()) || !term.IsTerminal(os.Stdout.Fd()) {
		return terminal.Plain(ctx, cl, o, os.Stdin, os.Stdout)
	}
	err = terminal.Screen(ctx, cl, o)
	if errors.Is(err, client.ErrLeft) {
		fmt.Fprintln(os.Stdout, "You have left the room.")
		return nil
	}
	return err
}

func (c *JoinCmd) look(ctx context.Context, cl *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, _, err := cl.GetRoom(ctx, c.Room)
	if client.CodeOf(err) == client.NotFound {
		return fmt.Errorf("there is no room %q at %s: see `parley room list%s`, or make one with `parley room create`",
			c.Room, c.Server.Server, c.flag())
	}
	return c.explain(err)
}
