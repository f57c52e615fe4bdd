// Finding the native library, refusing another one, and the end of the process: each in a process of its own.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using Flagstone.Interop;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class LibraryTests(RedisServer server) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("flagstone-library-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_library_beside_the_program_is_found_and_never_unpacked_elsewhere()
    {
        Ended ended = Version(null);
        Assert.Equal((0, FlagstoneLibrary.Version + "\n", ""), (ended.ExitCode, ended.Output, ended.Errors));
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public void The_variable_names_the_library()
    {
        string copy = Path.Combine(_folder, "another-name.so");
        File.Copy(Project.Library, copy);
        Assert.Equal((0, FlagstoneLibrary.Version + "\n"), (Version(copy).ExitCode, Version(copy).Output));
        // Empty is as not set.
        Assert.Equal(0, Version("").ExitCode);
    }

    [Fact]
    public void A_variable_that_names_nothing_usable_is_an_error()
    {
        string text = Path.Combine(_folder, "text.so");
        File.WriteAllText(text, "no library");
        foreach (string path in (string[])[Path.Combine(_folder, "missing.so"), text, _folder, "libflagstone.so", "flagstone"])
        {
            Ended ended = Version(path);
            Assert.Equal((1, ""), (ended.ExitCode, ended.Errors));
            Assert.Contains("FLAGSTONE_LIBRARY_PATH names " + path, ended.Output, StringComparison.Ordinal);
            Assert.EndsWith($"|{path}|||0\n", ended.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_library_of_another_abi_is_refused_with_both_versions()
    {
        string newer = Compile("newer", "unsigned flagstone_abi_version(void) { return 0x20003; }");
        Ended ended = Version(newer);
        Assert.Equal((1, ""), (ended.ExitCode, ended.Errors));
        Assert.Contains("has ABI 2.3; this package needs 1.4", ended.Output, StringComparison.Ordinal);
        Assert.EndsWith($"|{newer}|2.3|1.4|{NativeCodes.StatusAbiMismatch}\n", ended.Output, StringComparison.Ordinal);
        Ended other = Version(Compile("other", "int other;"));
        Assert.Contains("flagstone_abi_version", other.Output, StringComparison.Ordinal);
        Assert.Equal(1, other.ExitCode);
    }

    [Fact]
    public void A_library_of_the_minor_version_before_is_taken_and_what_it_lacks_is_refused_when_it_is_called()
    {
        NativeLoader.CheckVersion(0x10004, null);
        FlagstoneLibraryException error = Assert.Throws<FlagstoneLibraryException>(
            () => NativeLoader.Require(0x10004, NativeLoader.CredentialsMinor, "SetRedisCredentials"));
        Assert.Contains("SetRedisCredentials needs ABI 1.5, and the native library has 1.4", error.Message, StringComparison.Ordinal);
        NativeLoader.Require(0x10005, NativeLoader.CredentialsMinor, "SetRedisCredentials");
        Assert.Throws<FlagstoneLibraryException>(() => NativeLoader.CheckVersion(0x10003, null));
    }

    [Fact]
    public void Without_its_library_the_package_says_where_it_looked()
    {
        string program = Path.GetDirectoryName(Host)!;
        foreach (string file in Directory.GetFiles(program))
        {
            if (!Path.GetFileName(file).StartsWith("libflagstone", StringComparison.Ordinal))
            {
                File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)));
            }
        }
        Ended ended = Programs.Run("dotnet", Path.Combine(_folder, Path.GetFileName(Host)), "version");
        Assert.Equal(1, ended.ExitCode);
        foreach (string part in (string[])["libflagstone.so", _folder, "FLAGSTONE_LIBRARY_PATH",
            System.Runtime.InteropServices.RuntimeInformation.RuntimeIdentifier])
        {
            Assert.Contains(part, ended.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_process_ends_quietly_with_clients_and_threads_alive()
    {
        server.Write("end", new Dictionary<string, string> { ["yes"] = Flags.Bool("yes", 1, true).Json });
        for (int round = 0; round < 3; round++)
        {
            Stopwatch watch = Stopwatch.StartNew();
            Ended ended = Programs.Run("dotnet", Host, "end", server.Url, "end");
            Assert.Equal((0, "True\n", ""), (ended.ExitCode, ended.Output, ended.Errors));
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60));
        }
    }

    /// <summary>The program in Flagstone.Host.</summary>
    private static string Host =>
        Project.Binding + "artifacts/bin/Flagstone.Host/" + (Project.Configuration == "Debug" ? "debug" : "release")
        + "/Flagstone.Host.dll";

    private static Ended Version(string? path) =>
        Programs.Run("dotnet", [Host, "version"], null, new Dictionary<string, string?> { [NativeLoader.Override] = path });

    private string Compile(string name, string source)
    {
        string file = Path.Combine(_folder, name);
        File.WriteAllText(file + ".c", source);
        Programs.Run("cc", "-shared", "-fPIC", "-o", file + ".so", file + ".c").MustSucceed();
        return file + ".so";
    }
}
