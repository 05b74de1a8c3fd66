package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// older is the older language host as it runs.
type older struct {
	command *exec.Cmd
	conn    *grpc.ClientConn
	// Closed when the process has ended.
	ended chan struct{}
}

// startOlder starts the older host with the engine's own arguments and connects to the port that it tells.
func startOlder(executable string, args []string) (*older, error) {
	command := exec.Command(executable, args...)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("could not start the language host beside this one: %w", err)
	}
	host := &older{command: command, ended: make(chan struct{})}
	output := bufio.NewReader(stdout)
	line, err := output.ReadString('\n')
	port, portErr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || portErr != nil {
		host.stop()
		return nil, fmt.Errorf("%s should have told its port first, not %q", executable, line)
	}
	go func() {
		_, _ = io.Copy(os.Stdout, output) // what programs say; its end is the host's end
		_ = command.Wait()
		close(host.ended)
	}()
	host.conn, err = grpc.NewClient(
		fmt.Sprintf("passthrough:///127.0.0.1:%d", port),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodec(rawCodec{}),
			grpc.MaxCallRecvMsgSize(maxMessage),
			grpc.MaxCallSendMsgSize(maxMessage),
		),
	)
	if err != nil {
		host.stop()
		return nil, err
	}
	return host, nil
}

func (host *older) stop() {
	_ = host.command.Process.Kill() // it keeps nothing that it would have to put in order
}
