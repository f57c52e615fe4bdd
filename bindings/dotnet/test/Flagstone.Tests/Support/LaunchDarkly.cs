// A small LaunchDarkly of a test's own: the program `fakeld`, which can be killed and started again on its port.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;

namespace Flagstone.Tests.Support;

/// <summary>A running server; it remembers over restarts what it was told.</summary>
internal sealed class LaunchDarkly : IDisposable
{
    internal const string SdkKey = "sdk-1234-secret";

    /// <summary>The name of the environment, which it tells with every answer.</summary>
    internal const string EnvironmentId = "env-1234";

    private readonly string _folder = Directory.CreateTempSubdirectory("flagstone-launchdarkly-").FullName;
    private readonly Dictionary<string, string> _flags = [];
    private Process? _process;

    internal LaunchDarkly(params (string Key, string Json)[] flags)
    {
        foreach ((string key, string json) in flags)
        {
            _flags[key] = json;
        }
        Start();
    }

    /// <summary>For <c>EndpointsRelay</c>; the same over restarts.</summary>
    internal string Url { get; private set; } = "http://127.0.0.1:0";

    private string DataFile => Path.Combine(_folder, "data.json");

    /// <summary>Starts the server, again after <see cref="Kill"/>, with every flag that it was told.</summary>
    internal void Start()
    {
        WriteData();
        ProcessStartInfo start = new(Project.Target + "release/fakeld")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            ArgumentList = { "--port", Url[(Url.LastIndexOf(':') + 1)..], "--data", DataFile, "--sdk-key", SdkKey, "--environment-id", EnvironmentId },
        };
        _process = Process.Start(start)!;
        Url = ReadLine();
    }

    /// <summary>Ends the server at once, as a crash does.</summary>
    internal void Kill()
    {
        if (_process is not null)
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
            _process = null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Kill();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Adds or replaces a flag and tells all streams; only remembers it while the server is away.</summary>
    internal void Patch((string Key, string Json) flag)
    {
        _flags[flag.Key] = flag.Json;
        Tell($"patch flag {flag.Json}");
    }

    /// <summary>Deletes a flag and tells all streams.</summary>
    internal void Delete(string key, int version)
    {
        _flags.Remove(key);
        Tell($"delete flag {key} {version.ToString(CultureInfo.InvariantCulture)}");
    }

    /// <summary>Has only these flags from now on, and sends them to all streams.</summary>
    internal void Put(params (string Key, string Json)[] flags)
    {
        _flags.Clear();
        foreach ((string key, string json) in flags)
        {
            _flags[key] = json;
        }
        WriteData();
        Tell($"replace {DataFile}");
    }

    /// <summary>Closes all streams.</summary>
    internal void Drop() => Tell("drop");

    /// <summary>The requests since the start: method, path, query, headers by their lower-case names.</summary>
    internal JsonElement Requests()
    {
        Tell("requests");
        return JsonSerializer.Deserialize<JsonElement>(ReadLine());
    }

    /// <summary>The events since the start, of all payloads one after the other.</summary>
    internal List<JsonElement> Events()
    {
        Tell("events");
        List<JsonElement> events = [];
        for (string line = ReadLine(); line.Length > 0; line = ReadLine())
        {
            events.AddRange(JsonSerializer.Deserialize<JsonElement[]>(line)!);
        }
        return events;
    }

    private void WriteData()
    {
        string flags = string.Join(",", _flags.Select(flag => $"\"{flag.Key}\":{flag.Value}"));
        File.WriteAllText(DataFile, """{"flags":{""" + flags + """},"segments":{}}""");
    }

    private void Tell(string command)
    {
        Debug.Assert(!command.Contains('\n', StringComparison.Ordinal), "a command is a line");
        _process?.StandardInput.WriteLine(command);
        _process?.StandardInput.Flush();
    }

    private string ReadLine() => _process!.StandardOutput.ReadLine() ?? throw new EndOfStreamException("fakeld ended");
}
