// Command parley is a server for rooms in which people and language models talk, and the tools around it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"parley/client"

	"github.com/alecthomas/kong"
)

// CLI is the command line. Each command has a file of its own.
type CLI struct {
	Version kong.VersionFlag `help:"Print the version and end."`

	Serve  ServeCmd  `cmd:"" help:"Run the server: rooms over gRPC, kept on this disk."`
	Join   JoinCmd   `cmd:"" help:"Take a seat in a room and talk, in this terminal."`
	Room   RoomCmd   `cmd:"" help:"Make, list and look at rooms."`
	Models ModelsCmd `cmd:"" help:"List the models there are to choose from."`
	Chat   ChatCmd   `cmd:"" help:"Run the Chat service alone: models over gRPC, for a server with chat_service.address."`
}

func main() {
	var cli CLI
	parser := kong.Must(&cli, kong.Name("parley"), kong.UsageOnError(), kong.Vars{"version": version()},
		kong.Description("Rooms in which people and language models talk. Start with: parley serve"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	command, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "parley:", err)
		os.Exit(1)
	}
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

// Server is the flag of all commands that are clients.
type Server struct {
	Server string `help:"Where the server is." default:"127.0.0.1:50052" env:"PARLEY_SERVER" placeholder:"HOST:PORT"`
}

// dial returns a client of the server.
func (s Server) dial() (*client.Client, error) { return client.Dial(s.Server, client.Options{}) }

// explain says what to do about an error of the server's client.
func (s Server) explain(err error) error {
	var e *client.Error
	if errors.As(err, &e) && e.Code == client.Unavailable {
		return fmt.Errorf("no server answers at %s: start one with `parley serve`, or name another with --server (%w)", s.Server, err)
	}
	return err
}

// interruptible returns a context that ends with the first Ctrl-C or SIGTERM.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}
