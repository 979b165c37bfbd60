package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"parley/config"
	"parley/llm"
	"parley/llm/price"
	"parley/llm/route"
	"parley/room"
	"parley/seam"
	"parley/work"
	"parley/work/ballot"
	"parley/work/reply"
	"parley/work/summary"
)

// newRules makes the rules of every room.
func newRules(cfg config.Config) (room.Rules, error) {
	r := room.DefaultRules()
	r.MessageBytes, r.MaxDepth = cfg.Limits.MessageBytes, cfg.Room.MaxDepth
	b := cfg.Budget
	r.Total = room.Allowance{Cost: room.Cost(b.Total), Tokens: b.TotalTokens}
	r.Day = room.Allowance{Cost: room.Cost(b.Day), Tokens: b.DayTokens}
	r.CallCost, r.CallTokens = room.Cost(b.Call), b.CallTokens
	var err error
	r.Secret, err = votersSecret(cfg)
	return r, err
}

// secretFile holds the secret of a store that nobody gave one.
const secretFile = "SECRET"

// votersSecret is what makes the pseudonyms of anonymous voters. It has to stay the same as long as the log is used.
func votersSecret(cfg config.Config) (string, error) {
	switch {
	case cfg.Room.Secret.Reveal() != "":
		return cfg.Room.Secret.Reveal(), nil
	case cfg.Store.Driver == config.StoreMemory:
		return newSecret(), nil
	}
	path := filepath.Join(cfg.Store.Path, secretFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(newSecret() + "\n")
		err = writeFile(path, text)
	}
	secret := strings.TrimSpace(string(text))
	if err == nil && secret == "" {
		err = errors.New("it is empty: remove it, and votes in anonymous polls that are open end")
	}
	if err != nil {
		return "", fmt.Errorf("the secret of anonymous polls, %s: %w", path, err)
	}
	return secret, nil
}

// writeFile writes a private file so that after a crash it is there whole or not at all.
func writeFile(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // only its owner may read it
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names of a folder's files outlast a crash.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// newWorkers makes those who do the jobs of rooms.
func newWorkers(cfg config.Config, model llm.Model, rules room.Rules, log *slog.Logger) (work.Worker, error) {
	table, err := newPrices(cfg)
	if err != nil {
		return nil, err
	}
	prices := bills{cfg: cfg, table: table}
	replies, err := reply.New(reply.Config{
		Model: model, Clock: seam.Real(), Log: log, Prices: prices, ContextTokens: cfg.LLM.ContextTokens,
		MaxTokens: cfg.LLM.MaxTokens, Silence: patience(cfg.LLM), MaxDepth: rules.MaxDepth,
	})
	if err != nil {
		return nil, err
	}
	soon := min(patience(cfg.LLM), rules.BallotTime*2/5) // two calls, and they end before the room stops waiting
	ballots, err := ballot.New(ballot.Config{
		Model: model, Clock: seam.Real(), Log: log, Prices: prices, ContextTokens: cfg.LLM.ContextTokens,
		MaxTokens: cfg.LLM.MaxTokens, Silence: soon, Random: mathrand.NewPCG(mathrand.Uint64(), mathrand.Uint64()),
	})
	if err != nil {
		return nil, err
	}
	summaries, err := summary.New(summary.Config{
		Model: model, Clock: seam.Real(), Log: log, Prices: prices, ContextTokens: cfg.LLM.ContextTokens,
		Silence: soon, Time: rules.BallotTime * 4 / 5,
	})
	return work.Mux{Reply: replies, Ballot: ballots, Summary: summaries}, err
}

// bills tells what calls cost, by the table of prices. A model without a provider in its name is the default provider's.
type bills struct {
	cfg   config.Config
	table *price.Table
}

// Cost implements talk.Prices.
func (b bills) Cost(model string, u llm.Usage) (nano int64, ok bool) {
	p, ok := b.table.Lookup(b.whole(model))
	if !ok {
		return 0, false
	}
	return int64(p.Of(u)), true
}

// whole is a model's name with its provider.
func (b bills) whole(model string) string {
	if first, _ := route.Split(model); slices.Contains(b.cfg.LLM.Provider.Allowed(), first) {
		return model
	}
	if model == "" {
		model = b.cfg.LLM.Model
	}
	return string(b.cfg.LLM.Provider) + "/" + model
}
