// pulumi-language-nodejs as the engine starts it: hands every call on to an older Node language host, which lies beside
// it, and answers the one that the older host does not know, RunPlugin, by itself. Policy packs are started with it.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"
)

// The name under which the older host is installed beside this one.
const olderHost = "pulumi-language-nodejs-older"

// The engine's own bound on a message.
const maxMessage = 400 * 1024 * 1024

// An engine that was killed cannot end its plugins, so they look for themselves.
const parentCheck = 2 * time.Second

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
		os.Exit(1)
	}
}

func serve() error {
	parent := os.Getppid()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	older, err := startOlder(filepath.Join(filepath.Dir(self), olderHost), os.Args[1:])
	if err != nil {
		return err
	}
	defer older.stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.UnknownServiceHandler(handler(older)),
		grpc.ForceServerCodec(rawCodec{}),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.WaitForHandlers(true), // a policy pack is ended before this process is
	)
	go func() {
		endWith(parent, older)
		server.Stop() // cancels every call, and what runs for it
	}()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(listener)
}

// endWith returns when there is nothing left to serve: the engine or the older host is gone, or a signal came.
func endWith(parent int, older *older) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	tick := time.NewTicker(parentCheck)
	defer tick.Stop()
	for {
		select {
		case <-signals:
			return
		case <-older.ended:
			return
		case <-tick.C:
			if os.Getppid() != parent {
				return
			}
		}
	}
}
