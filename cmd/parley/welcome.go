package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"parley/config"
	"parley/hub"
	"parley/room"
)

// lobby is the room that a new server has, so that there is something to try.
const lobby room.ID = "lobby"

// welcome makes the lobby, if there is none yet, and says what to type next.
func (s *server) welcome(ctx context.Context, out io.Writer) error {
	_, err := s.hub.Do(ctx, lobby, room.Meta{By: room.System}, room.Create{
		Epoch: hub.NewEpoch(), Name: "Lobby", Description: "A room to try Parley in.", Models: s.lobbyModels(),
	})
	if err != nil && room.CodeOf(err) != room.CodeConflict {
		return fmt.Errorf("make the lobby: %w", err)
	}
	v, err := s.hub.View(ctx, lobby, room.System, 0)
	if err != nil {
		return fmt.Errorf("look into the lobby: %w", err)
	}
	fmt.Fprintf(out, "Parley serves rooms on %s (gRPC). Log: %s. Models: %s.\n", s.listen.Addr(), s.storeLine(), s.modelLine())
	fmt.Fprintf(out, "\nTry the room %q, in two other terminals:\n\n    bin/parley join %s --as maja%s\n    bin/parley join %s --as tom%s\n",
		v.Info.Name, lobby, s.serverFlag(), lobby, s.serverFlag())
	if names := mentions(v.Info.Models); names != "" {
		fmt.Fprintf(out, "\nand write: %s hello, who are you?\n", names)
	}
	fmt.Fprintln(out, "\n"+s.endLine())
	return nil
}

func (s *server) lobbyModels() []room.Model {
	if s.demo()("") {
		return []room.Model{
			{ID: "ada", Name: "Ada", Title: "demo model", Persona: "You are curious and precise.", Style: room.Conversational},
			{ID: "basil", Name: "Basil", Title: "demo model", Persona: "You are sceptical and brief.", Style: room.Bullet},
		}
	}
	return []room.Model{{ID: "ada", Name: "Ada", Persona: "You are curious and precise.", Style: room.Conversational}}
}

func (s *server) storeLine() string {
	if s.cfg.Store.Driver == config.StoreMemory {
		return "in memory, gone at the end"
	}
	return s.cfg.Store.Path
}

func (s *server) endLine() string {
	if s.cfg.Store.Driver == config.StoreMemory {
		return "Ctrl-C ends the server, and with it what was said."
	}
	return "Ctrl-C ends the server; nothing that was said is lost."
}

func (s *server) modelLine() string {
	switch {
	case s.cfg.ChatService.Address != "":
		return "the chat service at " + s.cfg.ChatService.Address
	case s.demo()(""):
		return "a scripted demo, no language model (set LLM_PROVIDER for a real one)"
	}
	return strings.TrimSpace(string(s.cfg.LLM.Provider) + " " + s.cfg.LLM.Model)
}

func (s *server) serverFlag() string {
	if s.cfg.GRPC == config.Default().GRPC {
		return ""
	}
	return " --server " + s.listen.Addr().String()
}

func mentions(models []room.Model) string {
	if len(models) == 0 {
		return ""
	}
	return "@" + string(models[0].ID)
}
