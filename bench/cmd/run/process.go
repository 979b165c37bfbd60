package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// A process is a server or a helper that was started for a trial.
type process struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan error
}

// endWithParent ends a child when this program is killed: nothing stays behind.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// start runs a program on one CPU, in the scratch folder and with no more of the environment than it needs: neither a
// configuration nor a key of whoever runs this must matter.
func (l *lab) start(cpu string, env []string, name string, args ...string) (*process, error) {
	log, err := os.Create(l.log(name))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("taskset", append([]string{"-c", cpu, filepath.Join(l.bin, name)}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = l.scratch(), log, log, endWithParent()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.scratch()}, env...)
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	p := &process{cmd: cmd, log: log, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	return p, nil
}

func (p *process) pid() string { return strconv.Itoa(p.cmd.Process.Pid) }

// stop asks the process to end, and ends it after a while.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(8 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	_ = p.log.Close()
}

// await returns once addr takes connections.
func (p *process) await(addr string) error {
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			return c.Close()
		}
		select {
		case err := <-p.done:
			p.done <- err
			return fmt.Errorf("it ended (%w): %s", err, p.log.Name())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("it does not listen on %s: %s", addr, p.log.Name())
}

// freeAddr is an address of the loopback that nobody listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
