// The packages beside the main one, as their users get them: a project that has nothing but them.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Net.Http;
using System.Reflection;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Extensions.Tests;

public sealed class PackageTests(RedisServer server) : IDisposable
{
    private static readonly Dictionary<string, string?> s_environment = new() { ["MSBUILDDISABLENODEREUSE"] = "1" };

    // Outside of the tree, so that nothing of it is found by accident.
    private readonly string _folder = Directory.CreateTempSubdirectory("flagstone-extensions-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_first_program_of_a_host_in_the_README_runs_with_the_packages_alone()
    {
        string packed = Directory.CreateDirectory(Path.Combine(_folder, "packed")).FullName;
        foreach (string package in (string[])["Flagstone", "Flagstone.Extensions.Hosting"])
        {
            Dotnet("pack", Project.Binding + "src/" + package, "-c", Project.Configuration, "--no-build", "--output", packed).MustSucceed();
        }
        using (ZipArchive archive = ZipFile.OpenRead(Directory.GetFiles(packed, "Flagstone.Extensions.Hosting.*.nupkg").Single()))
        {
            string[] names = [.. archive.Entries.Select(entry => entry.FullName)];
            foreach (string target in (string[])["net8.0", "netstandard2.0"])
            {
                Assert.Contains($"lib/{target}/Flagstone.Extensions.Hosting.dll", names);
                Assert.Contains($"lib/{target}/Flagstone.Extensions.Hosting.xml", names);
            }
            Assert.Contains("README.md", names);
            Assert.DoesNotContain(names, name => name.StartsWith("runtimes/", StringComparison.Ordinal));
            archive.GetEntry("lib/net8.0/Flagstone.Extensions.Hosting.dll")!.ExtractToFile(Path.Combine(_folder, "hosting.dll"));
            Assert.Equal(8, AssemblyName.GetAssemblyName(Path.Combine(_folder, "hosting.dll")).GetPublicKeyToken()!.Length);
        }
        server.Write("readme-host", new Dictionary<string, string> { ["new-checkout"] = Flags.Bool("new-checkout", 1, true).Json });
        string program = Build(Sample(Project.Binding + "README.md", "builder.Services.AddFlagstone"));
        using Application application = new(program, new()
        {
            ["ASPNETCORE_URLS"] = "http://127.0.0.1:0",
            ["Flagstone__Redis__Url"] = server.Url,
            ["Flagstone__Redis__Prefix"] = "readme-host",
        });
        using HttpClient browser = new() { BaseAddress = await application.Address.WaitAsync(TimeSpan.FromSeconds(90)) };
        Assert.Equal("true", await browser.GetStringAsync(new Uri("/?user=ada", UriKind.Relative)));
        Assert.Equal("Healthy", await browser.GetStringAsync(new Uri("/health", UriKind.Relative)));
    }

    [Fact]
    public void The_provider_is_not_packed_with_the_stand_in_and_says_what_is_wanted()
    {
        Dictionary<string, string?> environment = new(s_environment) { ["OPENFEATURE_FEED"] = "" };
        Ended ended = Programs.Run(
            "dotnet", ["pack", Project.Binding + "src/Flagstone.OpenFeature", "-c", Project.Configuration, "--no-build", "--output", _folder], _folder, environment);
        Assert.NotEqual(0, ended.ExitCode);
        Assert.Contains("name a feed that has it in OPENFEATURE_FEED", ended.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder, "*.nupkg"));
    }

    private string Build(string program)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, "host")).FullName;
        File.WriteAllText(Path.Combine(folder, "Program.cs"), program);
        File.Copy(Project.Binding + "test/consumer/NuGet.config", Path.Combine(folder, "NuGet.config"));
        string project = File.ReadAllText(Project.Binding + "test/consumer/Consumer.csproj")
            .Replace("Microsoft.NET.Sdk", "Microsoft.NET.Sdk.Web", StringComparison.Ordinal)
            .Replace("Include=\"Flagstone\"", "Include=\"Flagstone.Extensions.Hosting\"", StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, "Consumer.csproj"), project);
        Dotnet("build", folder, "--output", Path.Combine(folder, "built")).MustSucceed();
        return Path.Combine(folder, "built", "Consumer.dll");
    }

    private static string Sample(string readme, string part)
    {
        string sample = File.ReadAllText(readme).Split("```csharp\n").First(sample => sample.Contains(part, StringComparison.Ordinal));
        return sample[..sample.IndexOf("```", StringComparison.Ordinal)];
    }

    private Ended Dotnet(params string[] arguments) => Programs.Run("dotnet", arguments, _folder, s_environment);

    /// <summary>A running web application.</summary>
    private sealed class Application : IDisposable
    {
        private const string Listening = "Now listening on: ";

        private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ConcurrentQueue<string> _lines = new();
        private readonly Process _process;

        internal Application(string program, Dictionary<string, string> environment)
        {
            ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true, ArgumentList = { program } };
            foreach ((string name, string value) in environment)
            {
                start.Environment[name] = value;
            }
            _process = Process.Start(start)!;
            _process.EnableRaisingEvents = true;
            _process.Exited += (_, _) => _address.TrySetException(new InvalidOperationException(string.Join('\n', _lines)));
            _process.OutputDataReceived += (_, line) => Read(line.Data);
            _process.BeginOutputReadLine();
        }

        internal Task<Uri> Address => _address.Task;

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }

        private void Read(string? line)
        {
            if (line is null)
            {
                return;
            }
            _lines.Enqueue(line);
            int at = line.IndexOf(Listening, StringComparison.Ordinal);
            if (at >= 0)
            {
                _address.TrySetResult(new Uri(line[(at + Listening.Length)..].Trim()));
            }
        }
    }
}
