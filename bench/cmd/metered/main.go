// metered is the gRPC edge over the hub and a store, as parley serve puts them together, without models and with a
// meter of allocations.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"parley/bench/internal/meter"
	"parley/edge/rpc"
	"parley/hub"
	"parley/journal"
	"parley/journal/embedded"
	"parley/journal/memory"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "where to listen, loopback only")
	driver := flag.String("store", "embedded", "embedded or memory")
	dir := flag.String("dir", "", "folder of the embedded store")
	flag.Parse()
	if err := serve(*addr, *driver, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "metered:", err)
		os.Exit(1)
	}
}

func serve(addr, driver, dir string) error {
	if !strings.HasPrefix(addr, "127.") {
		return fmt.Errorf("%s: loopback only", addr)
	}
	store, err := openStore(driver, dir)
	if err != nil {
		return err
	}
	h, err := hub.New(hub.Config{Store: store})
	if err != nil {
		return err
	}
	edge, err := rpc.New(rpc.Config{Hub: h})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	meter.Watch()
	return edge.Serve(l)
}

func openStore(driver, dir string) (journal.Store, error) {
	if driver == "memory" {
		return memory.New(), nil
	}
	return embedded.Open(embedded.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
}
