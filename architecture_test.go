// Package parley_test holds the repository to its own rules: who may import whom, which dependencies are explained, and
// that generated code is current.
package parley_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A layer says which packages of this module a package may import. Arrows point from left to right:
// cmd -> edge, voice -> hub -> journal, fanout, work -> room.
type layer struct {
	of     string   // a package, or with /... it and everything below it; the first line that fits counts
	may    []string // likewise; what is outside this module is not meant here
	reason string
}

var layers = []layer{
	{"room", nil, "the domain is pure: the same log gives the same State for ever, on any machine"},
	{"seam", nil, "everything may stand on the seams, so they stand on nothing"},
	{"config", nil, "a typed value that cmd hands on in pieces; whoever is configured knows only its own piece"},
	{"preset", []string{"room"}, "rooms to begin with are values of the domain, read from files"},
	{"proto/gen/...", []string{"proto/gen/..."}, "the wire is generated"},

	{"journal", []string{"room", "seam"}, "a contract knows the domain, no driver"},
	{"journal/...", []string{"journal", "room", "seam"}, "a driver knows its contract and one vendor"},
	{"fanout", []string{"room", "seam"}, "a contract knows the domain, no driver"},
	{"fanout/...", []string{"fanout", "room", "seam"}, "a driver knows its contract and one vendor"},
	{"llm", []string{"seam"}, "a contract knows no driver, and a model knows nothing of rooms"},
	{"llm/upstream", []string{"llm", "seam"}, "what the drivers over HTTP share; no vendor"},
	{"llm/remote", []string{"llm", "chat/wire", "seam", "proto/gen/..."}, "the client of the Chat service is a driver that speaks our own wire"},
	{"llm/route", []string{"llm", "seam"}, "many Models behind one: it knows the contract and no driver; cmd brings them together"},
	{"llm/price", []string{"llm"}, "arithmetic on llm's usage; the table comes from whoever has the configuration"},
	{"llm/...", []string{"llm", "llm/upstream", "seam"}, "a driver knows its contract and one vendor"},
	{"speech", []string{"seam"}, "a contract knows no driver"},
	{"speech/...", []string{"speech", "seam"}, "a driver knows its contract and one vendor"},
	{"pay", []string{"room", "seam"}, "a contract knows the domain's money, no driver"},
	{"pay/...", []string{"pay", "room", "seam"}, "a driver knows its contract and one vendor"},
	{"bank", []string{"room", "seam"}, "a contract knows the domain's money, no driver"},
	{"bank/...", []string{"bank", "room", "seam"}, "a driver knows its contract and one vendor"},

	{"work", []string{"room", "seam"}, "the contract of workers: they act through a Desk, not through the hub"},
	{"work/talk", []string{"work", "room", "seam", "llm"}, "what workers share that ask models is no worker itself"},
	{"work/...", []string{"work", "work/talk", "room", "seam", "llm", "speech", "pay", "bank", "agreement"}, "a worker knows contracts; what it does it does by commands"},
	{"hub", []string{"journal", "fanout", "work", "room", "seam"}, "concurrency knows contracts, so every driver and every edge fits it"},
	{"agreement", []string{"room"}, "rendering is a reading of the log"},
	{"chat/wire", []string{"llm", "proto/gen/..."}, "how llm's types are written as messages, for both ends"},
	{"chat", []string{"llm", "chat/wire", "seam", "proto/gen/..."}, "the Chat service stands before any Model and knows no room"},
	{"voice", []string{"hub", "speech", "fanout", "room", "seam"}, "a line is an edge: commands and signals, like everybody"},
	{"edge/...", []string{"edge/...", "hub", "voice", "journal", "fanout", "work", "room", "seam", "agreement", "web", "proto/gen/..."}, "an edge is a view over the log; the contracts are there for their errors"},
	{"web", nil, "the browser's files, embedded"},
	{"client/...", []string{"client/...", "seam", "proto/gen/..."}, "a public package: it knows the wire and nothing of the server"},

	{"cmd/...", []string{"..."}, "where everything meets"},
	{"reliability/...", []string{"..."}, "tests of the whole"},
}

// A vendor is a module of others that only some packages may know, so that it can be replaced.
type vendor struct {
	module string
	may    []string
}

var vendors = []vendor{
	{"github.com/cockroachdb/pebble", []string{"journal/embedded", "reliability/...", "cmd/..."}},
	{"github.com/openai/openai-go", []string{"llm/openai"}},
	{"github.com/anthropics/anthropic-sdk-go", []string{"llm/anthropic"}},
	{"google.golang.org/genai", []string{"llm/google"}},
	{"google.golang.org/grpc", []string{"proto/gen/...", "edge/rpc", "chat/...", "llm/remote", "client/...", "cmd/...", "reliability/..."}},
	{"github.com/alecthomas/kong", []string{"cmd/..."}},
	{"charm.land", []string{"cmd/..."}},
	{"go.yaml.in/yaml", []string{"config", "llm/scripted", "preset"}},
}

// impure is what room must not touch, though it is in the standard library.
var impure = []string{"os", "os/exec", "net", "net/http", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "syscall", "sync", "context"}

// A goPackage is what `go list` tells about a package.
type goPackage struct {
	ImportPath string
	Imports    []string // without those of the tests
	Deps       []string // all it links, directly or not
}

// name is the package's folder, empty for packages of others.
func name(importPath string) string {
	folder, ours := strings.CutPrefix(importPath, "parley/")
	if !ours {
		return ""
	}
	return folder
}

func TestArchitecture(t *testing.T) {
	list := packages(t)
	for name, test := range map[string]func(*testing.T, []goPackage){
		"arrows point from left to right": testArrows,
		"room is pure":                    testPurity,
		"vendors are known in one place":  testVendors,
		"the program holds no tests":      testNoTests,
		"the client brings no server":     testClient,
	} {
		t.Run(name, func(t *testing.T) { test(t, list) })
	}
}

func testArrows(t *testing.T, list []goPackage) {
	for _, p := range list {
		l, ok := layerOf(name(p.ImportPath))
		if !ok {
			t.Errorf("%s has no line in the table of layers: add one, with its reason", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			if to := name(i); to != "" && !matches(to, l.may) {
				t.Errorf("%s imports %s, but may only import %q: %s", p.ImportPath, i, l.may, l.reason)
			}
		}
	}
}

func testPurity(t *testing.T, list []goPackage) {
	for _, p := range list {
		if name(p.ImportPath) != "room" {
			continue
		}
		for _, i := range p.Imports {
			first, _, _ := strings.Cut(i, "/")
			if slices.Contains(impure, i) || strings.Contains(first, ".") {
				t.Errorf("room imports %s: Decide and Apply need nothing but their arguments", i)
			}
		}
	}
}

func testVendors(t *testing.T, list []goPackage) {
	for _, p := range list {
		for _, v := range vendors {
			if !matches(name(p.ImportPath), v.may) && slices.ContainsFunc(p.Imports, v.has) {
				t.Errorf("%s imports %s, which only %q may know", p.ImportPath, v.module, v.may)
			}
		}
	}
}

// Suites such as journaltest are for tests; in the program they would bring package testing along. That a vendor's module
// links it for tests of its own, as google.golang.org/genai does, is not ours to change.
func testNoTests(t *testing.T, list []goPackage) {
	tests := make(map[string]bool)
	for _, p := range list {
		tests[p.ImportPath] = slices.Contains(p.Imports, "testing")
	}
	for _, p := range list {
		if base := path.Base(p.ImportPath); strings.HasSuffix(base, "test") || strings.HasPrefix(name(p.ImportPath), "reliability") {
			continue
		}
		for _, linked := range append(p.Deps, p.ImportPath) {
			if tests[linked] {
				t.Errorf("%s links package testing by way of %s", p.ImportPath, linked)
			}
		}
	}
}

// A client is built into other people's programs: it brings nothing of the server along, however far away.
func testClient(t *testing.T, list []goPackage) {
	for _, p := range list {
		if !matches(name(p.ImportPath), []string{"client/..."}) {
			continue
		}
		for _, d := range p.Deps {
			if to := name(d); to != "" && !matches(to, []string{"client/...", "seam", "proto/gen/..."}) {
				t.Errorf("%s links %s", p.ImportPath, d)
			}
		}
	}
}

// In a test, time.Sleep is a guess about how fast the machine is, unless it turns the clock of a synctest bubble.
func TestNoTestWaitsByTheClock(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text := string(read(t, path))
		if strings.Contains(text, "time."+"Sleep(") && !strings.Contains(text, `"testing/synctest"`) {
			t.Errorf("%s sleeps: wait for the thing itself, or use testing/synctest", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// packages lists the packages of this module as a release and as a test build see them.
func packages(t *testing.T) []goPackage {
	t.Helper()
	var list []goPackage
	for _, tags := range []string{"", "seam"} {
		dec := json.NewDecoder(bytes.NewReader(goCommand(t, "list", "-e", "-tags="+tags, "-json=ImportPath,Imports,Deps", "./...")))
		for {
			var p goPackage
			if err := dec.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if name(p.ImportPath) != "" { // the root holds tests only
				list = append(list, p)
			}
		}
	}
	return list
}

// goCommand returns what a go command prints.
func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

func layerOf(folder string) (layer, bool) {
	for _, l := range layers {
		if matches(folder, []string{l.of}) {
			return l, true
		}
	}
	return layer{}, false
}

// matches reports whether one of the patterns means the folder.
func matches(folder string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		root, below := strings.CutSuffix(pattern, "...")
		root = strings.TrimSuffix(root, "/")
		return folder == root || below && (root == "" || strings.HasPrefix(folder, root+"/"))
	})
}

func (v vendor) has(importPath string) bool {
	return importPath == v.module || strings.HasPrefix(importPath, v.module+"/")
}

// A goMod is what `go mod edit -json` tells about a go.mod.
type goMod struct {
	Require []struct {
		Path, Version string
		Indirect      bool
	}
	Tool []struct{ Path string }
}

// direct returns the modules a go.mod asks for itself, with their versions: those it imports and those of its tools.
func (m goMod) direct() map[string]string {
	list := make(map[string]string)
	for _, r := range m.Require {
		if !r.Indirect {
			list[r.Path] = r.Version
		}
	}
	for _, tool := range m.Tool {
		var module, version string
		for _, r := range m.Require {
			if strings.HasPrefix(tool.Path+"/", r.Path+"/") && len(r.Path) > len(module) {
				module, version = r.Path, r.Version
			}
		}
		list[module] = version
	}
	return list
}

func TestEveryDependencyIsExplained(t *testing.T) {
	explained := dependencies(t)
	for _, file := range []string{"go.mod", "tools/go.mod", "bench/go.mod"} {
		var m goMod
		if err := json.Unmarshal(goCommand(t, "mod", "edit", "-json", file), &m); err != nil {
			t.Fatal(err)
		}
		for module, version := range m.direct() {
			if module == "parley" {
				continue
			}
			switch written, ok := explained[module]; {
			case !ok:
				t.Errorf("%s requires %s %s: give it a line in docs/dependencies.md", file, module, version)
			case written != version:
				t.Errorf("docs/dependencies.md says %s %s, %s has %s", module, written, file, version)
			}
		}
	}
}

// dependencies reads the tables of docs/dependencies.md: module, version, reason, runner-up.
func dependencies(t *testing.T) map[string]string {
	t.Helper()
	list := make(map[string]string)
	lines := bufio.NewScanner(bytes.NewReader(read(t, "docs/dependencies.md")))
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "|")
		if len(cells) != 6 || !strings.Contains(cells[1], "`") {
			continue
		}
		module := strings.Trim(cells[1], " `")
		list[module] = strings.TrimSpace(cells[2])
		if strings.TrimSpace(cells[3]) == "" || strings.TrimSpace(cells[4]) == "" {
			t.Errorf("docs/dependencies.md: %s: say why it, and what the runner-up was", module)
		}
	}
	return list
}
