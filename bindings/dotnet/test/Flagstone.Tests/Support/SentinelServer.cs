// A real sentinel of the test run's own.
using System;
using System.Diagnostics;
using System.IO;

namespace Flagstone.Tests.Support;

/// <summary>A sentinel on a free port of 127.0.0.1 that watches over one service.</summary>
internal sealed class SentinelServer : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("flagstone-sentinel-").FullName;
    private readonly Process _process;

    /// <summary>Starts it.</summary>
    /// <param name="service">Name of the service.</param>
    /// <param name="primary">Port of its primary.</param>
    internal SentinelServer(string service, int primary)
    {
        Port = RedisServer.FreePort();
        string settings = Path.Combine(_folder, "sentinel.conf");
        File.WriteAllText(settings, $"port {Port}\nbind 127.0.0.1\nsentinel monitor {service} 127.0.0.1 {primary} 1\n");
        ProcessStartInfo start = new("redis-server", [settings, "--sentinel"]) { RedirectStandardOutput = true };
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
    }

    internal int Port { get; }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
