// Finds, loads and checks the native library, before the first call of any other kind.
//
// FLAGSTONE_LIBRARY_PATH, the full path of the library file, wins; if it is set and unusable that is an error, not a reason to
// look elsewhere. Otherwise the runtime's own probing applies: runtimes/<rid>/native of the package, the application's folder,
// the system. The library is never unpacked to a temporary folder and never unloaded.
using System;
using System.IO;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;

namespace Flagstone.Interop;

internal static class NativeLoader
{
    /// <summary>Name of the environment variable.</summary>
    internal const string Override = "FLAGSTONE_LIBRARY_PATH";

    /// <summary>The minor version of the ABI that the library must have; what later ones have is asked for when it is called.</summary>
    internal const int NeededMinor = 4;

    /// <summary>The minor version that brought metrics and versions of flags.</summary>
    internal const int ReportingMinor = 5;

    /// <summary>The minor version that brought <c>flagstone_client_set_credentials</c>.</summary>
    internal const int CredentialsMinor = 5;

    private static readonly object s_lock = new();
    private static readonly bool s_onWindows = RuntimeInformation.IsOSPlatform(OSPlatform.Windows);
    private static bool s_prepared;
    private static bool s_usable;

    /// <summary>Loads and checks the library; does nothing once that has succeeded.</summary>
    /// <exception cref="FlagstoneLibraryException">It is missing, cannot be loaded, or is another one.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void EnsureLoaded()
    {
        if (!Volatile.Read(ref s_usable))
        {
            Load();
        }
    }

    /// <summary>Refuses a library of another ABI.</summary>
    internal static void CheckVersion(uint abiVersion, string? path)
    {
        int major = (int)(abiVersion >> 16);
        int minor = (int)(abiVersion & 0xFFFF);
        if (major != NativeCodes.AbiMajor || minor < NeededMinor)
        {
            Version needed = new(NativeCodes.AbiMajor, NeededMinor);
            Version found = new(major, minor);
            throw new FlagstoneLibraryException(
                $"the native library{(path is null ? "" : $" {path}")} has ABI {found}; this package needs {needed} or a later "
                + "minor version",
                path, found, needed);
        }
    }

    /// <summary>Refuses a call that the library is too old for.</summary>
    internal static void Require(uint abiVersion, int minor, string member)
    {
        if ((abiVersion & 0xFFFF) < minor)
        {
            throw new FlagstoneLibraryException(
                $"{member} needs ABI {NativeCodes.AbiMajor}.{minor}, and the native library has {abiVersion >> 16}.{abiVersion & 0xFFFF}");
        }
    }

    private static void Load()
    {
        lock (s_lock)
        {
            if (s_usable)
            {
                return;
            }
            string? path = Environment.GetEnvironmentVariable(Override);
            path = string.IsNullOrEmpty(path) ? null : path;
            try
            {
                if (!s_prepared)
                {
                    Prepare(path);
                    s_prepared = true;
                }
                CheckVersion(NativeMethods.flagstone_abi_version(), path);
            }
            catch (Exception error) when (error is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException
                or InvalidOperationException)
            {
                throw NotUsable(path, error);
            }
            Volatile.Write(ref s_usable, true);
        }
    }

    private static FlagstoneLibraryException NotUsable(string? path, Exception error)
    {
        string tried = path is null
            ? $"tried the native folders of the application for {Rid}, {AppContext.BaseDirectory} and the system's search path "
                + $"for {FileName}; {Override}, which may hold its full path, is not set"
            : $"{Override} names {path}";
        return new FlagstoneLibraryException($"the native library cannot be used: {tried}: {error.Message}", path, error);
    }

    /// <summary>Name of the file; on Windows flagstone.dll is the managed assembly, as case does not count there.</summary>
    internal static string FileNameOn(bool windows, bool mac) =>
        windows ? "flagstone_native.dll" : mac ? "libflagstone.dylib" : "libflagstone.so";

    private static string FileName => FileNameOn(s_onWindows, RuntimeInformation.IsOSPlatform(OSPlatform.OSX));

#if NET8_0_OR_GREATER
    private static IntPtr s_override;

    private static string Rid => RuntimeInformation.RuntimeIdentifier;

    private static void Prepare(string? path)
    {
        if (path is not null)
        {
            RequireFullPath(path);
            s_override = NativeLibrary.Load(path);
        }
        try
        {
            NativeLibrary.SetDllImportResolver(typeof(NativeLoader).Assembly, Resolve);
        }
        catch (InvalidOperationException) when (path is null)
        {
            // The host has set a resolver for this assembly: it decides. With the variable set as well, they contradict each other.
        }
    }

    // Zero: the runtime's own probing.
    private static IntPtr Resolve(string name, System.Reflection.Assembly assembly, DllImportSearchPath? search) =>
        name != NativeMethods.Library ? IntPtr.Zero
        : s_override != IntPtr.Zero || !s_onWindows ? s_override
        : NativeLibrary.Load(NativeMethods.WindowsLibrary, assembly, search);
#else
    private static string Rid => RuntimeInformation.OSDescription + " " + RuntimeInformation.ProcessArchitecture;

    // A later import finds a file that is loaded already by its name; outside of Windows the runtime has to be told.
    private static void Prepare(string? path)
    {
        if (!s_onWindows)
        {
            NativeLibraryByName.Use(path);
            return;
        }
        if (path is null)
        {
            return;
        }
        RequireFullPath(path);
        if (!string.Equals(Path.GetFileName(path), FileName, StringComparison.OrdinalIgnoreCase))
        {
            throw new DllNotFoundException($"the file must be called {FileName}");
        }
        if (LoadLibraryW(path) == IntPtr.Zero)
        {
            throw new DllNotFoundException($"error {Marshal.GetLastWin32Error()}");
        }
    }

    [DllImport("kernel32", CharSet = CharSet.Unicode, SetLastError = true, ExactSpelling = true)]
    private static extern IntPtr LoadLibraryW(string path);
#endif

    /// <summary>Refuses a path that is none.</summary>
    // A bare name would be searched for: another library could answer.
    internal static void RequireFullPath(string path)
    {
        if (!Path.IsPathRooted(path))
        {
            throw new DllNotFoundException("it must be a full path");
        }
    }
}
