// Package reliability holds the server to its promises from outside: over real sockets, in processes that are killed,
// on connections that are cut, under input that makes no sense.
//
// Its parts are separate from what they check: wire is a client of its own beside parley/client, cut and bend stand
// between client and server, check judges a log by the words of its format. Each test of a promise has a twin that
// plants a bug and requires it to be noticed.
//
// The short forms run with every `go test`. Those called TestSoak run with SOAK=1, as `make soak` does; with the build
// tag seam processes are also killed at each named crash point. Random choices come from one seed per test, which is
// logged: PARLEY_SEED=n repeats it.
package reliability
