// The resolver of native libraries for the netstandard2.0 build outside of Windows: the runtimes there have NativeLibrary, which
// netstandard2.0 does not show. Mono, which has none, finds the library by Flagstone.dll.config.
#if !NET8_0_OR_GREATER
using System;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Flagstone.Interop;

internal static class NativeLibraryByName
{
    private const string Name = "flagstone";

    private static readonly Type? s_native = typeof(object).Assembly.GetType("System.Runtime.InteropServices.NativeLibrary");
    private static IntPtr s_override;

    /// <summary>Makes imports find the library at this path; without one, where the runtime looks for it.</summary>
    internal static void Use(string? path)
    {
        if (s_native is null)
        {
            return;
        }
        if (path is not null)
        {
            NativeLoader.RequireFullPath(path);
            s_override = Load([typeof(string)], path);
        }
        Type resolver = s_native.Assembly.GetType("System.Runtime.InteropServices.DllImportResolver")!;
        Delegate resolve = Delegate.CreateDelegate(
            resolver, typeof(NativeLibraryByName).GetMethod(nameof(Resolve), BindingFlags.NonPublic | BindingFlags.Static)!);
        s_native.GetMethod("SetDllImportResolver")!.Invoke(null, [typeof(NativeLibraryByName).Assembly, resolve]);
    }

    private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? search) =>
        name != NativeMethods.Library ? IntPtr.Zero
        : s_override != IntPtr.Zero ? s_override
        : Load([typeof(string), typeof(Assembly), typeof(DllImportSearchPath?)], Name, assembly, search);

    private static IntPtr Load(Type[] types, params object?[] arguments)
    {
        try
        {
            return (IntPtr)s_native!.GetMethod("Load", types)!.Invoke(null, arguments)!;
        }
        catch (TargetInvocationException error) when (error.InnerException is DllNotFoundException or BadImageFormatException)
        {
            throw new DllNotFoundException(error.InnerException.Message, error.InnerException);
        }
    }
}
#endif
