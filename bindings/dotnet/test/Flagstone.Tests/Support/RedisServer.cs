// A real redis-server of the test run's own, which can be killed, stopped and started again under its clients.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Threading;

namespace Flagstone.Tests.Support;

/// <summary>A redis-server on a free port of 127.0.0.1. It keeps nothing on disk.</summary>
public sealed partial class RedisServer : IDisposable
{
    private const int SigKill = 9;
    private const int SigCont = 18;
    private const int SigStop = 19;

    private readonly string _folder = Directory.CreateTempSubdirectory("flagstone-redis-").FullName;
    private Process? _process;

    /// <summary>Starts a server.</summary>
    public RedisServer()
    {
        for (int attempt = 1; ; attempt++)
        {
            Port = FreePort();
            try
            {
                Start();
                return;
            }
            catch (InvalidOperationException) when (attempt < 5)
            {
                // Another program took the port first.
            }
        }
    }

    /// <summary>The port; it stays the same over restarts.</summary>
    public int Port { get; }

    /// <summary>For <c>RedisUrl</c>.</summary>
    public string Url => $"redis://127.0.0.1:{Port}";

    /// <summary>Starts the server on its port, with empty memory, and waits until it answers.</summary>
    public void Start()
    {
        ProcessStartInfo start = new("redis-server") { RedirectStandardOutput = true, WorkingDirectory = _folder };
        foreach (string argument in new[] { "--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1",
            "--save", "", "--appendonly", "no", "--dir", _folder })
        {
            start.ArgumentList.Add(argument);
        }
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        Stopwatch watch = Stopwatch.StartNew();
        while (!Answers())
        {
            if (_process.HasExited || watch.Elapsed > TimeSpan.FromSeconds(30))
            {
                Kill();
                throw new InvalidOperationException("redis-server does not start");
            }
            Thread.Sleep(10);
        }
    }

    /// <summary>Ends the server at once, as a crash does.</summary>
    public void Kill()
    {
        if (_process is not null)
        {
            Signal(SigKill);
            _process.WaitForExit();
            _process.Dispose();
            _process = null;
        }
    }

    /// <summary>Kills the server and starts it again, with empty memory.</summary>
    public void Restart()
    {
        Kill();
        Start();
    }

    /// <summary>Stops the server: connections stay open and nobody answers. Returns once it has stopped.</summary>
    public void Stop()
    {
        Signal(SigStop);
        string status = $"/proc/{_process!.Id}/stat";
        // The state follows the name, which is in brackets.
        while (!File.ReadAllText(status).Split(')')[^1].StartsWith(" T", StringComparison.Ordinal))
        {
            Thread.Sleep(1);
        }
    }

    /// <summary>Undoes <see cref="Stop"/>.</summary>
    public void Continue() => Signal(SigCont);

    /// <summary>Sends one command; the reply is a string, null or a list.</summary>
    public object? Command(params string[] words)
    {
        using RespConnection connection = new(Port);
        return connection.Send(words);
    }

    /// <summary>Writes flags by key, in one transaction, and marks the data set under the prefix as complete.</summary>
    public void Write(
        string prefix, IReadOnlyDictionary<string, string> flags, IReadOnlyDictionary<string, string>? segments = null)
    {
        using RespConnection connection = new(Port);
        connection.Send("MULTI");
        HashSet(connection, $"{prefix}:features", flags);
        HashSet(connection, $"{prefix}:segments", segments ?? new Dictionary<string, string>());
        connection.Send("SET", $"{prefix}:$inited", "");
        connection.Send("EXEC");
    }

    /// <summary>Fills a prefix with generated flags, by the project's own program.</summary>
    /// <param name="prefix">The prefix.</param>
    /// <param name="options">Further arguments, for example <c>--shape rule --flags 1000</c>.</param>
    public void Fill(string prefix, params string[] options)
    {
        List<string> arguments = ["fill", "--redis", Url, "--prefix", prefix, .. options];
        Programs.Run(Project.Target + "release/flagdata", [.. arguments]).MustSucceed();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Kill();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>
    /// A port that nobody listens on, below the range from which systems choose ports for outgoing connections: one of those could
    /// otherwise take the port of a killed server before it is started again.
    /// </summary>
    public static int FreePort()
    {
        while (true)
        {
            int port = RandomNumberGenerator.GetInt32(20_000, 32_000);
            using TcpListener listener = new(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it.
            }
        }
    }

    private static void HashSet(RespConnection connection, string hash, IReadOnlyDictionary<string, string> items)
    {
        List<string> words = ["HSET", hash];
        foreach ((string key, string json) in items)
        {
            words.Add(key);
            words.Add(json);
        }
        if (words.Count > 2)
        {
            connection.Send([.. words]);
        }
    }

    private bool Answers()
    {
        try
        {
            return ((string)Command("INFO", "server")!).Contains($"process_id:{_process!.Id}\r", StringComparison.Ordinal);
        }
        catch (Exception error) when (error is SocketException or IOException)
        {
            return false;
        }
    }

    private void Signal(int signal)
    {
        if (_process is not null && !_process.HasExited)
        {
            _ = KillProcess(_process.Id, signal);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int KillProcess(int process, int signal);
}
