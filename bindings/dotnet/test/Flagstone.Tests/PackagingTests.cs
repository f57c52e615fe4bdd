// What is shipped: the package, a project that uses it, and a program compiled ahead of time.
using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Reflection.Metadata;
using System.Runtime.InteropServices;
using System.Text.Json;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

/// <summary>The package as it is packed for this machine, once for all tests that only read it.</summary>
public sealed class PackedPackage : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("flagstone-packed-").FullName;

    public PackedPackage() => Programs.Run(
        "dotnet", ["pack", Project.Binding + "src/Flagstone", "-c", "Release", "--output", _folder], _folder,
        new Dictionary<string, string?> { ["MSBUILDDISABLENODEREUSE"] = "1" }).MustSucceed();

    /// <summary>The file with a name that ends so.</summary>
    internal string File(string extension) => Directory.GetFiles(_folder, "*" + extension).Single();

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

public sealed class PackagingTests(RedisServer server, PackedPackage package) : IClassFixture<PackedPackage>, IDisposable
{
    private const string Evaluated = """True True 3 hello {"kind":"FALLTHROUGH"} {"a":1} 4 Valid""" + "\n"
        + """{"a":1} True""" + "\n"
        + """{"kind":"FALLTHROUGH"} {"kind":"user","key":"ada","plan":"team"} True True""" + "\nsome 503 Interrupted True 64\n"
        + "True Healthy False 2 New 42 live complete\n";

    // Outside of the tree, so that nothing of it is found by accident.
    private readonly string _folder = Directory.CreateTempSubdirectory("flagstone-package-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_project_restores_the_package_from_a_folder_and_evaluates_a_flag_from_redis()
    {
        string native = $"runtimes/{PortableRid}/native/libflagstone.so";
        using (ZipArchive archive = ZipFile.OpenRead(package.File(".nupkg")))
        {
            string[] names = [.. archive.Entries.Select(entry => entry.FullName)];
            Assert.Equal(
                [$"runtimes/{PortableRid.Replace("linux-", "linux-musl-", StringComparison.Ordinal)}/native/_._", native],
                names.Where(name => name.StartsWith("runtimes/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
            foreach (string name in (string[])[native, "README.md", "lib/net8.0/Flagstone.dll", "lib/net8.0/Flagstone.xml",
                "lib/netstandard2.0/Flagstone.dll", "lib/netstandard2.0/Flagstone.xml", "lib/netstandard2.0/Flagstone.dll.config",
                "build/Flagstone.targets", "buildTransitive/Flagstone.targets", "build/net462/Flagstone.targets", "icon.png",
                "CHANGELOG.md"])
            {
                Assert.Contains(name, names);
            }
        }
        string built = Build("consumer", File.ReadAllText(Project.Binding + "test/Flagstone.Host/Program.cs"));
        Assert.True(File.Exists(Path.Combine(built, native)));
        Assert.Equal(Evaluated, Evaluate("dotnet", Path.Combine(built, "Consumer.dll")));

        // The first program of both READMEs, as it stands there but for the address.
        string sample = Sample(Project.Binding + "README.md");
        Assert.Equal(sample, Sample(Project.Root + "README.md"));
        server.Write("launchdarkly", new Dictionary<string, string>
        {
            ["new-checkout"] = Flags.Bool("new-checkout", 1, true).Json,
            ["rate-limit"] = Flags.Value("rate-limit", 1, "7").Json,
        });
        string first = Build("first", sample.Replace("redis://localhost:6379", server.Url, StringComparison.Ordinal));
        Ended ended = Programs.Run("dotnet", Path.Combine(first, "Consumer.dll"));
        Assert.Equal(("new checkout\n7 FALLTHROUGH\n", ""), (ended.Output, ended.Errors));
        RunOtherSamples();
    }

    /// <summary>Connected mode, events, test data and all flags of the binding's README, one after the other in one program.</summary>
    private void RunOtherSamples()
    {
        string readme = Project.Binding + "README.md";
        string connected = Sample(readme, 1);
        Assert.Equal(connected, Sample(Project.Root + "README.md", 1));
        using LaunchDarkly launchDarkly = new(Flags.Bool("new-checkout", 1, true));
        string source = $"\"{LaunchDarkly.SdkKey}\", EndpointsRelay = \"{launchDarkly.Url}\",";
        string folder = Build("others", $$"""
            using System.Text.Json;
            using Flagstone;
            {
            {{connected}}
            var ada = Context.New("ada");
            Console.WriteLine(client.BoolVariation("new-checkout", ada));
            {{Sample(readme, 2)}}
            }
            {
            {{Sample(readme, 3)}}
            Console.WriteLine(client.BoolVariation("new-checkout", Context.New("ada")));
            var ada = Context.New("ada");
            {{Sample(readme, 4)}}
            Console.WriteLine(page);
            }
            """
            .Replace("redis://localhost:6379", server.Url, StringComparison.Ordinal)
            .Replace("/var/lib/app/flags", Path.Combine(_folder, "snapshot"), StringComparison.Ordinal)
            .Replace("\"sdk-...\",", source, StringComparison.Ordinal));
        Ended ended = Programs.Run("dotnet", Path.Combine(folder, "Consumer.dll"));
        // The builder's flags are for servers alone.
        const string Page = """{"$flagsState":{},"$valid":true}""";
        Assert.Equal(($"True\nTrue\n{Page}\n", ""), (ended.Output, ended.Errors));
        Assert.True(File.Exists(Path.Combine(_folder, "snapshot")));
        JsonElement told = launchDarkly.Events().Single(told => told.GetProperty("kind").GetString() == "custom");
        Assert.Equal((3, 59.9), (told.GetProperty("data").GetProperty("items").GetInt32(), told.GetProperty("metricValue").GetDouble()));
    }

    [Fact]
    public void Packing_fails_when_a_library_is_missing_and_names_it()
    {
        Ended ended = Pack(Path.Combine(_folder, "packed"), $"-p:FlagstoneRids=\"{PortableRid};win-x64;osx-arm64\"");
        Assert.NotEqual(0, ended.ExitCode);
        Assert.Contains("win-x64/flagstone.dll", ended.Output, StringComparison.Ordinal);
        Assert.Contains("osx-arm64/libflagstone.dylib", ended.Output, StringComparison.Ordinal);
        string packed = Path.Combine(_folder, "packed");
        Assert.False(Directory.Exists(packed) && Directory.GetFiles(packed).Length > 0);
    }

    [Fact]
    public void Packing_takes_the_libraries_of_other_platforms_from_a_folder()
    {
        foreach (string rid in (string[])["linux-musl-x64", "win-x64"])
        {
            Directory.CreateDirectory(Path.Combine(_folder, "natives", rid));
            string file = rid.StartsWith("win", StringComparison.Ordinal) ? "flagstone.dll" : "libflagstone.so";
            File.WriteAllText(Path.Combine(_folder, "natives", rid, file), rid);
        }
        Pack(Path.Combine(_folder, "packed"), $"-p:FlagstoneRids=\"{PortableRid};linux-musl-x64;win-x64\"",
            $"-p:FlagstoneNatives={Path.Combine(_folder, "natives")}").MustSucceed();
        using ZipArchive archive = ZipFile.OpenRead(Directory.GetFiles(Path.Combine(_folder, "packed"), "*.nupkg").Single());
        IEnumerable<string> natives = archive.Entries.Select(entry => entry.FullName)
            .Where(name => name.StartsWith("runtimes/", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        Assert.Equal(
            ["runtimes/linux-musl-x64/native/libflagstone.so", $"runtimes/{PortableRid}/native/libflagstone.so",
                "runtimes/win-x64/native/flagstone_native.dll"],
            natives);
    }

    [Fact]
    public void A_program_for_a_platform_that_the_package_lacks_does_not_build()
    {
        string folder = NewProject("other", "Console.WriteLine(Flagstone.FlagstoneLibrary.Version);");
        string musl = PortableRid.Replace("linux-", "linux-musl-", StringComparison.Ordinal);
        foreach (string rid in (string[])[musl, "osx-arm64"])
        {
            Ended ended = For(rid);
            Assert.NotEqual(0, ended.ExitCode);
            Assert.Contains(
                $"FLAGSTONE001: The package Flagstone has no native library for {rid}; it has those of {PortableRid}.",
                ended.Output, StringComparison.Ordinal);
        }
        Directory.Delete(Path.Combine(folder, "obj"), recursive: true);
        Ended asked = For(musl, "-p:FlagstoneCheckNative=false");
        asked.MustSucceed();
        Assert.DoesNotContain(
            Directory.GetFiles(Path.Combine(folder, "bin"), "*", SearchOption.AllDirectories),
            file => Path.GetFileName(file).StartsWith("libflagstone", StringComparison.Ordinal));

        // Neither the program that starts it nor the runtime of another platform is at hand everywhere.
        Ended For(string rid, params string[] properties) => Dotnet(
            ["build", folder, "-p:RuntimeIdentifier=" + rid, "-p:SelfContained=false", "-p:UseAppHost=false", .. properties]);
    }

    [Fact]
    public void Assemblies_have_a_strong_name_and_symbols_with_the_sources_and_no_path_of_the_machine()
    {
        using ZipArchive archive = ZipFile.OpenRead(package.File(".nupkg"));
        using ZipArchive symbols = ZipFile.OpenRead(package.File(".snupkg"));
        foreach (string target in (string[])["net8.0", "netstandard2.0"])
        {
            byte[] assembly = Read(archive, $"lib/{target}/Flagstone.dll");
            byte[] debug = Read(symbols, $"lib/{target}/Flagstone.pdb");
            string file = Path.Combine(_folder, target + ".dll");
            File.WriteAllBytes(file, assembly);
            Assert.Equal(8, System.Reflection.AssemblyName.GetAssemblyName(file).GetPublicKeyToken()!.Length);
            string root = Project.Root;
            Assert.True(assembly.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(root)) < 0, "the assembly has a path");
            Assert.True(debug.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(root)) < 0, "the symbols have a path");
            Assert.True(HasSource(debug, "/Context.cs"), "the symbols have no sources");
        }

        static byte[] Read(ZipArchive archive, string name)
        {
            using MemoryStream copy = new();
            using Stream entry = archive.GetEntry(name)!.Open();
            entry.CopyTo(copy);
            return copy.ToArray();
        }
    }

    /// <summary>Whether portable symbols embed the text of a document.</summary>
    private static bool HasSource(byte[] symbols, string name)
    {
        // The kind of debug information that says so.
        Guid embedded = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");
        using MemoryStream stream = new(symbols);
        using MetadataReaderProvider provider = MetadataReaderProvider.FromPortablePdbStream(stream);
        MetadataReader reader = provider.GetMetadataReader();
        return reader.CustomDebugInformation.Select(handle => reader.GetCustomDebugInformation(handle)).Any(information =>
            information.Parent.Kind == HandleKind.Document && reader.GetGuid(information.Kind) == embedded
            && reader.GetString(reader.GetDocument((DocumentHandle)information.Parent).Name).EndsWith(name, StringComparison.Ordinal));
    }

    [Fact]
    public void A_program_compiled_ahead_of_time_evaluates_a_flag_from_redis()
    {
        string project = Project.Binding + "test/Flagstone.AotHost";
        Ended published = Dotnet("publish", project, "-c", "Release", "--output", _folder).MustSucceed();
        Assert.DoesNotContain("warning", published.Output, StringComparison.OrdinalIgnoreCase);
        Assert.False(File.Exists(Path.Combine(_folder, "Flagstone.dll")), "it is compiled in");
        Assert.Equal(Evaluated, Evaluate(Path.Combine(_folder, "Flagstone.AotHost")));
    }

    private static string PortableRid => $"linux-{RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}";

    /// <summary>A program of a README, by its number.</summary>
    private static string Sample(string readme, int number = 0)
    {
        string rest = File.ReadAllText(readme).Split("```csharp\n")[number + 1];
        return rest[..rest.IndexOf("```", StringComparison.Ordinal)];
    }

    /// <summary>Builds a program against the package; returns the folder with the result.</summary>
    private string Build(string name, string program)
    {
        string folder = NewProject(name, program);
        Dotnet("build", folder, "--output", Path.Combine(folder, "built")).MustSucceed();
        return Path.Combine(folder, "built");
    }

    /// <summary>A project that uses the package, with one program.</summary>
    private string NewProject(string name, string program)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, name)).FullName;
        string source = Directory.CreateDirectory(Path.Combine(_folder, "packed")).FullName;
        File.Copy(package.File(".nupkg"), Path.Combine(source, Path.GetFileName(package.File(".nupkg"))), overwrite: true);
        foreach (string file in Directory.GetFiles(Project.Binding + "test/consumer"))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }
        File.WriteAllText(Path.Combine(folder, "Program.cs"), program);
        return folder;
    }

    private string Evaluate(string program, params string[] arguments)
    {
        server.Write("packaging", new[]
        {
            Flags.Bool("yes", 1, true), Flags.Value("int", 1, "3"), Flags.Value("text", 1, "\"hello\""),
            Flags.Value("json", 1, """{"a":1}"""),
        }.ToDictionary(flag => flag.Key, flag => flag.Json));
        Ended ended = Programs.Run(program, [.. arguments, "evaluate", server.Url, "packaging"], "/", null);
        return ended.Output + ended.Errors;
    }

    private Ended Pack(string output, params string[] properties) =>
        Dotnet(["pack", Project.Binding + "src/Flagstone", "-c", "Release", "--output", output, .. properties]);

    private Ended Dotnet(params string[] arguments) => Programs.Run(
        "dotnet", arguments, _folder, new Dictionary<string, string?> { ["MSBUILDDISABLENODEREUSE"] = "1" });
}
