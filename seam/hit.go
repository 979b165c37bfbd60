//go:build !seam

package seam

// Hit names a point at which a test build may kill the process, wait or switch. Here it does nothing and costs
// nothing: build with `-tags seam` to arm the points.
func Hit(string) {}

// Planted reports whether a test has planted this bug, to see that its checker catches it. Here no bug ever is.
func Planted(string) bool { return false }
